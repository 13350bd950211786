import type { ReactNode } from 'react'
import type { Picture } from '../../data/media.ts'

/** A picture in the width that is needed: the browser chooses among those that there are, and reads it when it comes into sight. */
export function PictureView({
  picture,
  sizes,
  className,
}: {
  readonly picture: Pick<Picture, 'alt' | 'url' | 'width' | 'height' | 'variants'>
  /** How wide it is shown, as `sizes` of an `<img>`. */
  readonly sizes: string
  readonly className?: string
}): ReactNode {
  const { alt, url, width, height, variants } = picture
  return (
    <img
      src={url}
      srcSet={variants.length === 0 ? undefined : variants.map(one => `${one.url} ${one.width}w`).join(', ')}
      sizes={variants.length === 0 ? undefined : sizes}
      width={width ?? undefined}
      height={height ?? undefined}
      alt={alt}
      loading="lazy"
      decoding="async"
      className={className}
    />
  )
}
