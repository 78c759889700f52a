import { Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'

/** The name of something new, as the service takes it. */
export function NameItem({ help }: { help?: string }) {
  const { t } = useTranslation()
  return (
    <Form.Item
      name="name"
      label={t('form.name')}
      extra={help}
      rules={[{ required: true, pattern: /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, message: t('form.nameRule') }]}
    >
      <Input autoFocus />
    </Form.Item>
  )
}
