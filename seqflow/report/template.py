"""The markup of a page; jinja2 fills it in, with every value escaped."""

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 15px/1.45 sans-serif; color: #1b2838; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dd { margin: 0; }
dt { color: #5b6673; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .25rem .5rem; vertical-align: top; }
.figures th, .figures td { text-align: right; border-bottom: 1px solid #e3e7eb; }
.figures th:first-child, .figures td:first-child { text-align: left; }
.met { color: #2c7a51; } .missed { color: #b3303f; }
.pairs td { width: 50%; } .pairs img, figure img { max-width: 100%; height: auto; }
.name { overflow-wrap: anywhere; font-size: .85rem; color: #5b6673; }
audio { height: 2rem; width: 11.5rem; vertical-align: middle; } .sounds { font-size: .8rem; }
figure { margin: 1rem 0; } figcaption { color: #5b6673; font-size: .85rem; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<dl>
{% for name, value in facts %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}
</dl>
<h2>Figures</h2>
<table class="figures">
<tr>{% for name in head %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row, met in table %}
<tr{% if met is not none %} class="{{ 'met' if met else 'missed' }}"{% endif %}>
{%- for value in row %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% for note in notes %}
<p>{{ note }}</p>
{% endfor %}
{% for caption, picture in pictures %}
<figure><img src="{{ picture }}" alt="{{ caption }}"><figcaption>{{ caption }}</figcaption></figure>
{% endfor %}
<h2>{{ 'Side by side' if not heard else 'Listen, side by side' }}</h2>
<table class="pairs">
<tr><th>real</th><th>generated</th></tr>
{% for pair in rows %}
<tr>
{% for cell in pair %}
<td>
{% if cell is not none %}
<img src="{{ cell.picture }}" alt="{{ cell.caption }}">
{% if cell.raw is not none %}
<div class="sounds">as it is <audio controls preload="none" src="{{ cell.raw }}"></audio>
level matched <audio controls preload="none" src="{{ cell.level }}"></audio></div>
{% endif %}
<div class="name">{{ cell.caption }}</div>
{% endif %}
</td>
{% endfor %}
</tr>
{% endfor %}
</table>
</body>
</html>
"""
