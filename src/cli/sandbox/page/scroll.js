// Keeps a scroller at its end while news arrive. Must not know what the news are.

/** Keeps a scroller at its end, unless the reader has scrolled away from there. `onMove(atEnd)` hears of it. */
export function keepAtEnd(scroller, content, onMove = () => {}) {
  // So near to the end counts as at it: a line or so.
  const NEAR = 32;
  let atEnd = true;
  let lastTop = 0;
  const set = (value) => {
    if (value === atEnd) return;
    atEnd = value;
    onMove(atEnd);
  };
  const settle = () => {
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  };
  scroller.addEventListener("scroll", () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    // Out of sight it has no size, and its place says nothing.
    if (clientHeight === 0) return;
    // Only who scrolls up leaves the end: by the time a scroll is told of, more may have been added below.
    if (scrollHeight - scrollTop - clientHeight < NEAR) set(true);
    else if (scrollTop < lastTop) set(false);
    lastTop = scrollTop;
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
