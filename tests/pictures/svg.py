"""A drawing in SVG: boxes, lines and text on a background of its own, so that it can be read on any page.

A reader whose screen is dark gets the dark colours where the viewer asks for them (prefers-color-scheme). Nothing
outside of the file is referred to, and the fonts are whatever the reader has: text is measured by a wide one.
"""

from html import escape

# Name: light fill and stroke, dark fill and stroke.
SHAPES = {
    "page": ("#ffffff", "#d0d7de", "#0d1117", "#30363d"),
    "plain": ("#f6f8fa", "#8c959f", "#161b22", "#6e7681"),
    "host": ("#ddf4ff", "#0969da", "#12263f", "#58a6ff"),
    "own": ("#dafbe1", "#1a7f37", "#12261e", "#3fb950"),
    "made": ("#fff8c5", "#9a6700", "#2b230c", "#d29922"),
    "bad": ("#ffebe9", "#cf222e", "#2d1214", "#f85149"),
    "line": ("none", "#57606a", "none", "#9198a1"),
    "stop": ("none", "#cf222e", "none", "#f85149"),
}
INKS = {
    "ink": ("#1f2328", "#e6edf3"),
    "dim": ("#57606a", "#9198a1"),
    "blue": ("#0969da", "#58a6ff"),
    "green": ("#1a7f37", "#3fb950"),
    "amber": ("#7d4e00", "#d29922"),
    "red": ("#cf222e", "#f85149"),
}
FONTS = {
    "sans": "font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif",
    "mono": "font-family:ui-monospace,SFMono-Regular,Consolas,'DejaVu Sans Mono',monospace",
    "bold": "font-weight:600",
    "mid": "text-anchor:middle",
    "end": "text-anchor:end",
}


def number(value):
    return f"{value:.1f}".removesuffix(".0")


class Picture:
    """One picture. `dark` draws it in the dark colours alone, to look at them in a viewer that asks nobody."""

    def __init__(self, title, description, width, height, dark=False):
        self.head = (title, description)
        self.width, self.height, self.dark = width, height, dark
        self.parts, self.used = [], {"sans"}
        self.box(0.5, 0.5, width - 1, height - 1, "page", 8)

    def box(self, x, y, width, height, shape="plain", round=6, more=""):
        self.used.add(shape)
        self.parts.append(
            f'<rect class="{shape}" x="{number(x)}" y="{number(y)}" width="{number(width)}" '
            f'height="{number(height)}" rx="{round}"{more}/>'
        )

    def text(self, x, y, text, looks="", size=14):
        """Writes a line, its foot at y. `looks`: names of INKS and FONTS."""
        looks = looks.split()
        if not INKS.keys() & set(looks):
            looks.append("ink")
        self.used.update(looks)
        if "mono" in looks:  # Columns stay columns in every viewer.
            text = text.replace(" ", "\u00a0")
        self.parts.append(
            f'<text class="{" ".join(looks)}" x="{number(x)}" y="{number(y)}" font-size="{size}">{escape(text, False)}</text>'
        )

    def lines(self, x, y, lines, looks="", size=14, step=None):
        for line in lines:
            self.text(x, y, line, looks, size)
            y += step or size * 1.45
        return y

    def path(self, way, shape="line", arrow=False):
        self.used.add(shape)
        marker = ""
        if arrow:
            self.used.add(f"tip-{shape}")
            marker = f' marker-end="url(#tip-{shape})"'
        self.parts.append(f'<path class="{shape}" d="{way}"{marker}/>')

    def raw(self, text):
        self.parts.append(text)

    def styles(self, column):
        rules = []
        for name, colours in SHAPES.items():
            fill, stroke = colours[2 * column : 2 * column + 2]
            if name in self.used:
                rules.append(f".{name}{{fill:{fill};stroke:{stroke}}}")
            if f"tip-{name}" in self.used:
                rules.append(f"#tip-{name} path{{fill:{stroke}}}")
        rules += [f".{name}{{fill:{both[column]}}}" for name, both in INKS.items() if name in self.used]
        return rules

    def __str__(self):
        fonts = [f".{name}{{{rule}}}" for name, rule in FONTS.items() if name in self.used]
        light, dark = self.styles(0), self.styles(1)
        style = dark if self.dark else light + ["@media (prefers-color-scheme:dark){", *dark, "}"]
        tips = [
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<path d="M0 0.5L8 4L0 7.5z"/></marker>'
            for name in sorted(self.used)
            if name.startswith("tip-")
        ]
        title, description = self.head
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img">',
                f"<title>{escape(title)}</title>",
                f"<desc>{escape(description)}</desc>",
                "<style>",
                "text{" + FONTS["sans"] + "}",
                *[rule for rule in fonts if not rule.startswith(".sans")],
                *style,
                "</style>",
                *(["<defs>", *tips, "</defs>"] if tips else []),
                *self.parts,
                "</svg>",
                "",
            ]
        )
