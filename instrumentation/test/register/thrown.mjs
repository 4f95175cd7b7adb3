/** An error as its application sees it: what it says, and the places of the application's own code in its stack. */
export function thrown(error) {
  const own = String(error?.stack)
    .split('\n')
    .filter((line) => /(scenarios|agent)\.[cm]js/.test(line))
    .map((line) => line.trim().replace(/(file:)?\/.*\//, ''))
  return [`threw ${error?.constructor?.name} ${error?.message ?? error}`, ...own].join(' ')
}
