# SPDX-License-Identifier: GPL-2.0
"""Results as SVG, drawn by hand: no library is needed to look at them."""

import html

from . import oracle, peer

WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 120, 30, 44
COLOURS = {"stock": "#000000", "off": "#777777", "observe": "#aaaaaa",
           "fixed": "#1f77b4", "defer": "#2ca02c", "adaptive": "#d62728",
           "rate": "#9467bd", "dim": "#ff7f0e", "aic": "#8c564b"}


def _colour(name):
    return COLOURS[name.split("-")[0]]


class Chart:
    """One pair of axes with things in it."""

    def __init__(self, title, x_label, y_label, x_range, y_range):
        self._x, self._y = x_range, y_range
        self._parts = []
        self._text(WIDTH / 2, TOP - 12, title, "middle", 13)
        self._text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, "middle")
        self._parts.append(
            f'<text x="14" y="{(TOP + HEIGHT - BOTTOM) / 2}" font-size="11" '
            f'text-anchor="middle" transform="rotate(-90 14 '
            f'{(TOP + HEIGHT - BOTTOM) / 2})">{html.escape(y_label)}</text>')
        self._axes()

    def _text(self, x, y, text, anchor="start", size=11, colour="#000000"):
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
            f'text-anchor="{anchor}">{html.escape(str(text))}</text>')

    def _px(self, x):
        low, high = self._x
        return LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def _py(self, y):
        low, high = self._y
        return HEIGHT - BOTTOM - (y - low) / (high - low) * (
            HEIGHT - TOP - BOTTOM)

    def _axes(self):
        self._parts.append(
            f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{HEIGHT - TOP - BOTTOM}" fill="none" stroke="#999999"/>')
        for step in range(6):
            x = self._x[0] + step / 5 * (self._x[1] - self._x[0])
            y = self._y[0] + step / 5 * (self._y[1] - self._y[0])
            self._text(self._px(x), HEIGHT - BOTTOM + 14, f"{x:.0f}", "middle",
                       10)
            self._text(LEFT - 5, self._py(y) + 3, f"{y:.0f}", "end", 10)

    def point(self, x, y, name):
        """A labelled dot."""
        colour = _colour(name)
        px, py = self._px(x), self._py(y)
        self._parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" '
                           f'fill="{colour}"/>')
        self._text(px + 5, py + 3, name, size=8, colour=colour)

    def line(self, points, colour, dashes=""):
        """A line through points."""
        path = " ".join(f"{self._px(x):.1f},{self._py(y):.1f}"
                        for x, y in points)
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(f'<polyline points="{path}" fill="none" '
                           f'stroke="{colour}" stroke-width="1.2"{dash}/>')

    def steps(self, points, end, colour):
        """A value that keeps until the next point."""
        path = []
        for (x, y), (until, _) in zip(points, [*points[1:], (end, 0)]):
            path += [(x, y), (until, y)]
        self.line(path, colour)

    def svg(self, x=0, y=0):
        """The chart, placed."""
        return f'<g transform="translate({x} {y})">{"".join(self._parts)}</g>'


def page(charts, columns=2):
    """A drawing of several charts."""
    rows = -(-len(charts) // columns)
    body = "\n".join(chart.svg(i % columns * WIDTH, i // columns * HEIGHT)
                     for i, chart in enumerate(charts))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="{columns * WIDTH}" height="{rows * HEIGHT}" '
            f'font-family="sans-serif">\n<rect width="100%" height="100%" '
            f'fill="#ffffff"/>\n{body}\n</svg>\n')


def _bounds(values, margin=0.05):
    low, high = min(values), max(values)
    room = (high - low) * margin or 1
    return low - room, high + room


def frontier(name, row, unit):
    """Cost against the delay that the traffic itself saw, beyond stock's."""
    stock = row[peer.STOCK.name]["p50_us"]
    dots = {who: (result["p50_us"] - stock, result["instructions"])
            for who, result in row.items()}
    chart = Chart(name, "median delay beyond stock, us",
                  f"instructions per {unit}",
                  _bounds([x for x, _ in dots.values()]),
                  _bounds([y for _, y in dots.values()]))
    chart.line(_best_so_far(dots), "#1f77b4", "4 3")
    for who, (x, y) in dots.items():
        chart.point(x, y, who)
    return chart


def _best_so_far(dots):
    """The oracle's frontier: fixed holds that no smaller delay undercuts."""
    fixed = sorted(dots[who.name] for who in (peer.STOCK, *peer.FIXED)
                   if who.name in dots)
    line = []
    for x, y in fixed:
        if not line or y < line[-1][1]:
            line.append((x, y))
    return line


def series(name, decisions, queue, end_ms, bound_us):
    """The hold that a policy chose, over time."""
    points = [(when, hold) for when, which, hold, _ in decisions
              if which == queue]
    chart = Chart(f"{name}: {queue}", "ms", "hold, us", (0, end_ms),
                  (0, 1.1 * bound_us))
    if points:
        chart.steps(points, end_ms, COLOURS["adaptive"])
    return chart
