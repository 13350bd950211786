export { AppearanceMenu } from './appearance-menu.tsx'
export {
  Button,
  type ButtonProps,
  Checkbox,
  type Choice,
  Field,
  IconButton,
  SearchField,
  Segmented,
  Select,
  TextArea,
  TextField,
} from './controls.tsx'
export { CodeBlock, CopyButton } from './copy.tsx'
export type { Format } from './format.ts'
export { formatOf } from './format.ts'
export { Door } from './door.tsx'
export { Form, type FormValues } from './form.tsx'
export { Icon, type IconName, Mark } from './icon.tsx'
export { LoadMore } from './load-more.tsx'
export { Confirm, Dialog, Menu } from './overlays.tsx'
export { type Command, Palette } from './palette.tsx'
export { type Appearance, AppearanceProvider, type Theme, useAppearance, useFormat, useWords } from './settings.tsx'
export { ShortcutsDialog } from './shortcuts.tsx'
export { Banner, Bars, Card, Empty, Pill, Progress, Skeleton, Stat, type Tone } from './surfaces.tsx'
export { Table } from './table.tsx'
export { type Toast, ToastProvider, useToast } from './toasts.tsx'
export { Failure, Loading } from './waiting.tsx'
export {
  defineWords,
  type Language,
  LANGUAGES,
  type Message,
  type Translate,
  translator,
  type Values,
  type Words,
} from './words.ts'
