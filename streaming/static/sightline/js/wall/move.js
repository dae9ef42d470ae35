/** Where an arrow key leads in a grid. Pure. */
export function moveIn(index, key, count, columns) {
  const step = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    Home: -index,
    End: count - 1 - index,
  }[key];
  if (step === undefined || count === 0) return index;
  if (index < 0) return 0;
  const next = index + step;
  if (next >= 0 && next < count) return next;
  // From the last full row down to a shorter last row.
  if (key === "ArrowDown" && Math.floor(index / columns) < Math.floor((count - 1) / columns))
    return count - 1;
  return index;
}
