// Applies the theme that was chosen here before, ahead of the first paint. Never edit in place: the file is cached for ever; raise the number.
try {
  const theme = localStorage.getItem('doorstep.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage is refused in some private windows: the system's theme holds.
}
