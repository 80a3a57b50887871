// The small controls that all pages share: what they look like is base.css, what they say is the page's.
import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { Icon, type IconName } from './icon.tsx'

type Look = 'primary' | 'plain' | 'quiet' | 'danger'
export type Tone = 'idle' | 'brand' | 'ok' | 'warn' | 'bad'

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look
  size?: 'small' | 'large'
  icon?: IconName
  /** Floats over the map. */
  float?: boolean
}

export function Button({ look = 'plain', size, icon, float, className = '', children, ...rest }: ButtonProps) {
  const classes = `button button-${look}${size ? ` button-${size}` : ''}${float ? ' button-float' : ''} ${className}`.trim()
  return (
    <button type="button" className={classes} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

/** A button that shows an icon alone; `label` is what it is called. */
export function IconButton({
  icon,
  label,
  look = 'quiet',
  float,
  className = '',
  ...rest
}: ButtonProps & { icon: IconName; label: string }) {
  return (
    <button
      type="button"
      className={`button button-icon button-${look}${float ? ' button-float' : ''} ${className}`.trim()}
      aria-label={label}
      title={label}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  )
}

export function Badge({ tone = 'idle', icon, children }: { tone?: Tone; icon?: IconName; children: ReactNode }) {
  return (
    <span className={`badge badge-${tone}`}>
      {icon && <Icon name={icon} />}
      {children}
    </span>
  )
}

/** A sentence that needs attention, with its icon; colour only repeats what the text says. */
export function Note({ tone = 'idle', icon = 'info', children }: { tone?: Tone; icon?: IconName; children: ReactNode }) {
  return (
    <div className={`note note-${tone}`}>
      <Icon name={icon} />
      <div>{children}</div>
    </div>
  )
}
