// What keeps the server from starting, in one line that says what to do; main prints it and exits with 78 (EX_CONFIG).

/** A configured part is not there, or not fit to be used. Never a bug of ours: no stack is worth printing. */
export class StartFault extends Error {
  override readonly name = 'StartFault'
}
