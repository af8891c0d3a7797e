"""Small comparisons, and pages as they are read back."""

import html.parser

import invented

from tfgans.compare import report

VOID = {"meta", "link", "img", "br", "hr", "input", "path", "use", "rect"}


REFERENCES = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}


class Page(html.parser.HTMLParser):
    """Tables by the id of the heading above, ids, and references of a page whose tags must match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.styles = [], [], [], []
        self.tables, self.heading, self.count, self.text = {}, None, {}, ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_startendtag(self, tag, attributes):
        self._begin(tag, attributes)

    def handle_starttag(self, tag, attributes):
        self._begin(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def _begin(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        attributes = dict(attributes)
        self.references += [attributes[name] for name in REFERENCES & attributes.keys()]
        self.styles.append(attributes.get("style", "") + attributes.get("clip-path", ""))
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag in ("h2", "h3"):
            self.heading = attributes.get("id", "")
        if tag == "table":
            self.tables.setdefault(self.heading, []).append([])
        if tag == "tr":
            self.tables[self.heading][-1].append([])
        if tag in ("td", "th"):
            self.tables[self.heading][-1][-1].append("")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "style" in self.open:
            self.styles.append(data)
        elif "td" in self.open or "th" in self.open:
            row = self.tables[self.heading][-1][-1]
            row[-1] = (row[-1] + data).strip()


def read(comparison, folder):
    return Page(report.page(folder, comparison))


def simple_run(seed, points, seconds_a_step=0.1, outcome="finished"):
    """A run that has only a FID: `points` is {step: value}."""
    evaluations = [
        {"step": step, "train_seconds": step * seconds_a_step, "metrics": {"fid": value}, "comparable": True}
        for step, value in points.items()
    ]
    return {"seed": seed, "folder": f"seed_{seed}", "outcome": outcome, "message": None, "suspicious": None,
            "step": max(points),
            "train_seconds": 1.0, "compile_seconds": None, "eval_seconds": None, "evaluations": evaluations,
            "curves": {}, "samples": None, "spectrum": None, "drawn": None}  # fmt: skip


def two(first, second, third=None, labels=("a", "b", "c"), **settings):
    """Configurations with these last FIDs, a run each; None is a run that diverged."""
    configurations = []
    for label, values in zip(labels, (first, second, third), strict=True):
        runs = [
            simple_run(i, {0: 100.0, 1000: v}, outcome="diverged" if v is None else "finished")
            for i, v in enumerate(values or ())
        ]
        configurations += [invented.configuration(label, runs)] if values else []
    return invented.summarised(configurations, {"fid": {"higher_is_better": False}}, **settings)
