import { useMutation } from '@tanstack/react-query'
import { Form, Modal } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { Failure } from './Failure'

interface Props<Values> {
  open: boolean
  title: string
  submit: string
  close: () => void
  send: (values: Values) => Promise<unknown>
  children: ReactNode
}

/** A dialog with a form; it closes when what was sent is done, and shows why when it is not. */
export function FormModal<Values extends object>(props: Props<Values>) {
  const { t } = useTranslation()
  const [form] = Form.useForm<Values>()
  const sending = useMutation({ mutationFn: props.send })
  const close = () => {
    form.resetFields()
    sending.reset()
    props.close()
  }
  return (
    <Modal
      open={props.open}
      title={props.title}
      okText={props.submit}
      cancelText={t('form.cancel')}
      confirmLoading={sending.isPending}
      onOk={() => form.submit()}
      onCancel={close}
      destroyOnHidden
    >
      <Form<Values>
        form={form}
        layout="vertical"
        onFinish={(values) => sending.mutate(values, { onSuccess: close })}
      >
        {props.children}
      </Form>
      <Failure error={sending.error} />
    </Modal>
  )
}
