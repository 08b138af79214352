# SPDX-License-Identifier: GPL-2.0
"""Results as SVG, drawn by hand: no library is needed to look at them."""

import html
import math

from . import peer

WIDTH, HEIGHT = 480, 320
LEFT, RIGHT, TOP, BOTTOM = 80, 16, 30, 44
LEGEND = 30
GREY, LIGHT = "#999999", "#eeeeee"
COLOURS = {"stock": "#000000", "off": "#777777", "observe": "#bbbbbb",
           "fixed": "#1f77b4", "defer": "#2ca02c", "adaptive": "#d62728",
           "rate": "#9467bd", "dim": "#ff7f0e", "aic": "#8c564b",
           "poll": "#17becf"}
NAMES = {"stock": "stock", "off": "mode off", "observe": "observe",
         "fixed": "fixed (us)", "defer": "napi_defer", "rate": "rate",
         "dim": "dim", "aic": "aic", "adaptive": "adaptive (class)",
         "poll": "vhost polls (us)"}
# room that a letter of a label takes, pixels
LETTER_X, LETTER_Y = 6, 11
STEPS = (1, 2, 5, 10)


def _family(name):
    return name.split("-")[0]


def _text(x, y, text, anchor="start", size=11, colour="#000000"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
            f'text-anchor="{anchor}">{html.escape(str(text))}</text>')


def _line(x1, y1, x2, y2, colour):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}"/>')


def _marker(x, y, name):
    """Policies are squares, settings are dots."""
    colour = COLOURS[_family(name)]
    if _family(name) in peer.POLICIES:
        return (f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" '
                f'height="7" fill="{colour}"/>')
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


def ticks(low, high, number=5):
    """Round values between two others."""
    raw = (high - low) / number
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * k for k in STEPS if power * k >= raw)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


class Chart:
    """One pair of axes with things in it."""

    def __init__(self, title, x_label, y_label, x_range, y_range):
        self._x, self._y = x_range, y_range
        self._labels = []
        middle = (TOP + HEIGHT - BOTTOM) / 2
        self._parts = [
            _text(WIDTH / 2, TOP - 12, title, "middle", 13),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label, "middle"),
            f'<text x="12" y="{middle}" font-size="11" text-anchor="middle" '
            f'transform="rotate(-90 12 {middle})">{html.escape(y_label)}'
            '</text>']

    def _px(self, x):
        low, high = self._x
        return LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def _py(self, y):
        low, high = self._y
        return HEIGHT - BOTTOM - (y - low) / (high - low) * (
            HEIGHT - TOP - BOTTOM)

    def axes(self):
        """Frame, grid and numbers: behind all that is drawn later."""
        for x in ticks(*self._x):
            self._parts += [
                _line(self._px(x), TOP, self._px(x), HEIGHT - BOTTOM, LIGHT),
                _text(self._px(x), HEIGHT - BOTTOM + 14, f"{x:g}", "middle",
                      10)]
        for y in ticks(*self._y):
            self._parts += [
                _line(LEFT, self._py(y), WIDTH - RIGHT, self._py(y), LIGHT),
                _text(LEFT - 5, self._py(y) + 3, f"{y:,.0f}", "end", 10)]
        self._parts.append(
            f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{HEIGHT - TOP - BOTTOM}" fill="none" stroke="{GREY}"/>')

    def band(self, x1, x2, colour):
        """A span of x."""
        self._parts.append(
            f'<rect x="{self._px(x1):.1f}" y="{TOP}" '
            f'width="{self._px(x2) - self._px(x1):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}" fill="{colour}"/>')

    def point(self, x, y, name, label=""):
        """A dot, with a label where there is room for one."""
        px, py = self._px(x), self._py(y)
        self._parts.append(_marker(px, py, name))
        width = LETTER_X * len(label)
        left = px + 6 if px + 6 + width < WIDTH - RIGHT else px - 6 - width
        if not label or not self._room(left, py, width):
            return
        self._labels.append((left, py, width))
        self._parts.append(_text(left + (0 if left > px else width), py - 4,
                                 label, "start" if left > px else "end", 9,
                                 COLOURS[_family(name)]))

    def _room(self, left, y, width):
        """Would a label here cover none that is there?"""
        return not any(left < x + w and x < left + width and
                       abs(y - other) < LETTER_Y
                       for x, other, w in self._labels)

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

    def svg(self, x, y):
        """The chart, placed."""
        return f'<g transform="translate({x} {y})">{"".join(self._parts)}</g>'


def families(names):
    """What a legend has to explain, in a fixed order."""
    there = {_family(name) for name in names}
    return [name for name in NAMES if name in there]


def _legend(names):
    parts, x = [], LEFT
    for name in names:
        parts += [_marker(x, LEGEND / 2, name),
                  _text(x + 9, LEGEND / 2 + 4, NAMES[name])]
        x += 26 + 7 * len(NAMES[name])
    return "".join(parts)


def page(charts, legend=(), columns=2):
    """A drawing of several charts."""
    rows, top = -(-len(charts) // columns), LEGEND if legend else 0
    body = "\n".join(chart.svg(i % columns * WIDTH,
                               top + i // columns * HEIGHT)
                     for i, chart in enumerate(charts))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="{columns * WIDTH}" height="{top + rows * HEIGHT}" '
            f'font-family="sans-serif">\n<rect width="100%" height="100%" '
            f'fill="#ffffff"/>\n{_legend(legend)}\n{body}\n</svg>\n')
