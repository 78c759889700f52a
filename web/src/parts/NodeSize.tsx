import { Form, InputNumber, Select } from 'antd'
import { useTranslation } from 'react-i18next'

import { nodeResize, type Node, type NodeSize } from '../client'
import { answer } from '../lib/problem'
import { FormModal } from './FormModal'

const SIZES: NodeSize[] = ['small', 'medium', 'large']
/** Gibibytes that a volume can have: the service decides, this only tells. */
const VOLUME_MAX = 4_096

export interface Size {
  size?: NodeSize
  volume_gib?: number
}

/** What a node in a cluster may use; its volume never shrinks below `least`. */
export function SizeItems({ size, volume, least }: { size: NodeSize; volume: number; least: number }) {
  const { t } = useTranslation()
  return (
    <>
      <Form.Item name="size" label={t('nodes.size')} initialValue={size}>
        <Select
          options={SIZES.map((value) => ({ value, label: t(`nodeSize.${value}Long`) }))}
          aria-label={t('nodes.size')}
        />
      </Form.Item>
      <Form.Item
        name="volume_gib"
        label={t('nodes.volume')}
        initialValue={volume}
        rules={[{ required: true }]}
        extra={t('nodes.volumeHelp')}
      >
        <InputNumber min={least} max={VOLUME_MAX} precision={0} aria-label={t('nodes.volume')} />
      </Form.Item>
    </>
  )
}

/** Another size for a node; none is asked for without one. */
export function ResizeNode(props: { node?: Node; close: () => void; done: () => unknown }) {
  const { t } = useTranslation()
  const { node } = props
  const own = node?.private
  return (
    <FormModal<Size>
      open={node !== undefined}
      title={t('nodes.resizeTitle', { name: node?.name })}
      submit={t('nodes.resize')}
      close={props.close}
      send={async (body) => {
        if (node === undefined) return
        await answer(nodeResize({ path: { node_id: node.id }, body }))
        void props.done()
      }}
    >
      <p>{t('nodes.resizeHelp')}</p>
      <SizeItems
        size={own?.size ?? 'small'}
        volume={own?.volume_gib ?? 10}
        least={own?.volume_gib ?? 1}
      />
    </FormModal>
  )
}
