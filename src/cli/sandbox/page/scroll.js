// Keeps a scroller at its end while news arrive. Must not know what the news are.

/** Keeps a scroller at its end, unless the reader has scrolled away from there. `onMove(atEnd)` hears of it. */
export function keepAtEnd(scroller, content, onMove = () => {}) {
  // So near to the end counts as at it: a line or so.
  const NEAR = 32;
  let atEnd = true;
  const set = (value) => {
    if (value === atEnd) return;
    atEnd = value;
    onMove(atEnd);
  };
  const settle = () => {
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  };
  scroller.addEventListener("scroll", () => {
    set(scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR);
  });
  const observer = new ResizeObserver(settle);
  observer.observe(content);
  observer.observe(scroller);
  return {
    isAtEnd: () => atEnd,
    toEnd() {
      set(true);
      settle();
    },
    stay: () => set(false),
  };
}
