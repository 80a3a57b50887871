// An admin key in; a session token out. The key itself is never kept.
import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { Button } from '../../ui/controls.tsx'
import { Icon } from '../../ui/icon.tsx'
import { words } from '../../ui/words-dispatch.ts'
import { signIn } from './api.ts'

export function SignIn({ ended, onToken }: { ended: boolean; onToken: (token: string) => void }) {
  const [busy, setBusy] = useState(false)
  const [wrong, setWrong] = useState<string | null>(ended ? words.signIn.ended : null)
  const field = useRef<HTMLInputElement>(null)
  const about = useId()
  useEffect(() => field.current?.focus(), [])
  const go = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const key = field.current?.value.trim() ?? ''
    if (key === '') return field.current?.focus()
    setBusy(true)
    const answer = await signIn(key)
    setBusy(false)
    if (answer.ok) return onToken(answer.value)
    setWrong(
      answer.fault.code === 'AUTH' || answer.fault.code === 'FORBIDDEN' ? words.signIn.wrong : words.problem(answer.fault.code),
    )
    field.current?.select()
  }
  return (
    <main className="sign-in">
      <form onSubmit={go} noValidate>
        <span className="brand-mark" aria-hidden="true">
          <Icon name="van" />
        </span>
        <h1>{words.signIn.title}</h1>
        <p className="hush">{words.signIn.why}</p>
        <label className="field">
          <span>{words.signIn.key}</span>
          <input
            ref={field}
            type="password"
            autoComplete="off"
            spellCheck={false}
            maxLength={512}
            aria-invalid={wrong !== null}
            aria-describedby={about}
          />
          <span id={about} className="small hush">
            {words.signIn.where}
          </span>
        </label>
        {wrong && (
          <p className="bad" role="alert">
            {wrong}
          </p>
        )}
        <Button look="primary" type="submit" disabled={busy}>
          {busy ? words.signIn.going : words.signIn.go}
        </Button>
      </form>
    </main>
  )
}
