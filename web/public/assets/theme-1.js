// The theme chosen here before, ahead of the first paint. Cached for ever: a change needs a new number.
try {
  const theme = localStorage.getItem('doorstep.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {}
