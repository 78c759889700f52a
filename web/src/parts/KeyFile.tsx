import { Button, Flex, Form, Typography, Upload } from 'antd'
import { useTranslation } from 'react-i18next'

import type { Signer } from '../lib/signing'
import { signerOf } from '../lib/signing'

/** A form's field `key`: the text of an administrator key file, which stays in this browser. */
export function KeyFile() {
  const { t } = useTranslation()
  const form = Form.useFormInstance()
  const name = Form.useWatch('keyName', form) as string | undefined
  return (
    <Form.Item label={t('form.key')} extra={t('form.keyHelp')} required>
      <Flex gap={12} align="center">
        <Upload
          maxCount={1}
          showUploadList={false}
          beforeUpload={async (file) => {
            form.setFieldsValue({ key: await file.text(), keyName: file.name })
            void form.validateFields(['key'])
            return false
          }}
        >
          <Button>{t('form.chooseFile')}</Button>
        </Upload>
        <Typography.Text>{name}</Typography.Text>
      </Flex>
      <Form.Item name="keyName" hidden noStyle />
      <Form.Item name="key" rules={[{ required: true, message: t('form.required') }]} noStyle>
        <input type="hidden" />
      </Form.Item>
    </Form.Item>
  )
}

/** The signer of a form with a [`KeyFile`]. */
export const signerOfForm = (values: { key: string }): Promise<Signer> => signerOf(values.key)
