"""Writes own.json: templates of our own and what Jinja2 3.1.6 makes of them, set up as transformers
does. Run with Jinja2==3.1.6 installed: python3 make_own.py"""
import copy, datetime, json, pathlib
import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

assert jinja2.__version__ == "3.1.6"


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("support"), [], [], body).set_lineno(line)

    def support(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


NOW = datetime.datetime(2026, 3, 7, 5, 4, 9, 123456)
env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                    extensions=[Generation, jinja2.ext.loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = lambda f: NOW.strftime(f)

CTX = {
    "s": "Hello, World", "u": "naïve Straße ΣΑΣ 日本語 😀", "e": "", "n": 42, "z": 0, "neg": -7, "f": 3.5, "big": 12345678901234567890,
    "t": True, "no": False, "none": None, "xs": [3, 1, 2], "words": ["banana", "Apple", "cherry", "apple"],
    "d": {"b": 1, "a": [1, {"x": None}], "C": "q'uo\"te", "items": "shadow"},
    "users": [{"name": "Ann", "age": 31, "city": "Rome"}, {"name": "bob", "age": 25, "city": "rome"},
              {"name": "Cy", "age": 31, "city": "Bern", "boss": {"name": "Ann"}}],
    "text": "first line\n\n  second <b>line</b>\tend\r\nlast", "html": "<a href='x'>\"&amp;\"</a>",
    "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"},
                 {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.0, "y": "é"}}}]}],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}],
}

# Each line is an expression to be printed.
EXPRESSIONS = r'''
1 + 2 * 3 ** 2 - 4 // 3
-2 ** 2
2 ** 3 ** 2
2 ** -1
2 ** 0.5
7 // 2, -7 // 2, 7 // -2, -7 % 3, 7 % -3
7.5 // 2, -7.5 // 2, 7.5 % 2, -7.5 % 2, 7.5 % -2
7 / 2, 6 / 2, 1e16, 1e15, 1e-4, 1e-5, 0.1 + 0.2, 123456789.123, 1e100, -0.0
5 % 0
1 // 0
1.0 / 0
big + 1, big * big, -big, big // 7, big % 7, big / 2, 2 ** 100
9223372036854775807 + 1, -9223372036854775807 - 2, 4611686018427387904 * 2, 3037000500 * 3037000500
true + 1, true == 1, 1 == 1.0, "1" == 1, none == none, [] == (), (1, 2) == (1, 2)
0x1F, 0b101, 0o17, 1_000, 1.5e3, 1_0.5
"a" "b" 'c'
"tab\tnl\\n \x41 \u00e9 \U0001F600 \101 \q"
'it''s'
s ~ 1 ~ none ~ true ~ 1.0 ~ xs
s + 1
1 + s
xs + [4], (1,) + (2,)
xs + (1,)
s * 2, 2 * s, [0] * 3, s * -1
s * 1.5
"%s is %d years, %5.2f%% %r %x %05d|%-5s|%5s|%+d" % ("Ann", 31, 2.5, "q", 255, 42, "ab", "cd", 7)
"%s" % none, "%s" % xs, "%(a)s %(b)03d" % {"a": 1, "b": 2}
"%d" % "x"
"%s %s" % "one"
"%s" % ("a", "b")
"%e %g %G %g %g" % (12345.678, 0.00001, 1e20, 100000.0, 1234567.0)
"%c%c" % ("a", 98)
"%.3s|%10.3f|%-10d|%#x|%o" % ("abcdef", 3.14159, 5, 255, 8)
1 < 2 < 3, 1 < 3 < 2, 3 > 2 >= 2, 1 != 2
"a" < "b", [1, 2] < [1, 3], (1,) < (1, 0)
1 < "a"
none < 1
"ell" in s, "z" not in s, 1 in xs, "b" in d, 9 in xs
none in s
1 in 5
not true or true and false
not 1 in xs
n is not none and s is string
xs[0], xs[-1], xs[5], xs["a"], s[1], s[-1], s[100], u[2], u[-1]
xs[1:], xs[:-1], xs[::-1], s[2:8:2], s[::-1], u[::-1], u[3:9], s[-3:], s[10:2], xs[5:], s[8:2:-2]
neg[1:]
d.a, d["a"], d.missing, d["items"], d.b, d.C
d.items() | list, d.keys() | list, d.values() | list
d.items(), d.keys()
d.get("b"), d.get("zz"), d.get("zz", 5)
missing, missing.attr is defined
missing.attr
missing | default("dflt"), e | default("x"), e | default("x", true), none | default("x"), none | default("x", true), missing | d
none.attr, none.attr is defined
none.attr.deeper
none.strip()
missing()
missing + 1
missing == missing, missing == none, missing != 1
missing | length, missing | list, missing | string, missing | upper
-missing
s.upper(), s.lower(), s.title(), s.swapcase(), s.capitalize(), u.upper(), u.lower(), u.title(), u.capitalize(), "ß".upper(), "ΑΣ".lower()
"  x y ".strip() ~ "|" ~ "  x ".lstrip() ~ "|" ~ " x  ".rstrip() ~ "|" ~ "xxaxx".strip("x") ~ "abcab".strip("ab")
"a,b,,c".split(","), "a b  c ".split(), "a b c d".split(" ", 2), "a b c d".rsplit(" ", 1), " a  b c".split(none, 1), " a  b c ".rsplit(none, 1), "".split(), "".split(",")
"a".split("")
"a\nb\r\nc\u2028d\x0be".splitlines(), "a\n\nb\n".splitlines(true)
"a=b=c".partition("="), "a=b=c".rpartition("="), "abc".partition("="), "abc".rpartition("=")
s.startswith("Hell"), s.startswith(("x", "H")), s.endswith("ld"), s.endswith(("a", "b")), s.startswith("ell", 1), s.endswith("lo", 0, 5)
s.replace("l", "L"), s.replace("l", "L", 1), "aaa".replace("", "-"), "aaa".replace("a", "")
s.find("o"), s.rfind("o"), s.find("zz"), s.index("o"), s.count("l"), s.find("o", 5), u.find("日"), "aaa".count("")
s.index("zz")
", ".join(["a", "b"]), "-".join("abc"), "".join([])
",".join([1, 2])
"{} {} {}".format(1, "a", none), "{0}{1}{0}".format("a", "b"), "{x}-{y!r}".format(x=1, y="q"), "{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}|{:+}|{:e}|{:%}".format("a", "b", "c", 42, 3.14159, 1234567, 255, 5, 12345.678, 0.25)
"{:*^9}|{:#x}|{:_}|{:g}|{:.3}|{:.3g}|{}".format("mid", 255, 1234567, 0.0001, "abcdef", 1234.5, 1e16)
"{a[0]} {b.name}".format(a=[7], b={"name": 1})
"{a[0]} {b[name]}".format(a=[7], b={"name": 1})
"{}".format()
"{{}} {0:{1}}".format("x", 5)
"123".isdigit(), "12a".isdigit(), "abc".isalpha(), "ab1".isalnum(), " \t".isspace(), "".isspace(), "Ab".isupper(), "AB1".isupper(), "ab".islower(), "Ab Cd".istitle(), "²".isdigit(), "½".isnumeric(), "x1".isidentifier(), "é".isascii()
"42".zfill(5), "-42".zfill(5), "ab".center(7, "*") , "ab".center(5), "abc".center(6), "ab".ljust(5, ".") ~ "|", "ab".rjust(5), "pre_x".removeprefix("pre_"), "x.py".removesuffix(".py"), "a\tb".expandtabs(4)
s.__class__, s.__class__ is defined, s._x is defined, d.__len__
s.__class__.__mro__
xs.append(1)
d.update({"a": 1})
d.pop("a")
xs.append is defined, d.pop is defined
xs.index(1), xs.count(3), xs.copy(), d.copy() == d
range(5) | list, range(2, 8, 3) | list, range(5, 0, -2) | list, range(3), range(1, 4), range(0, 10, 2), range(5)[1:3], 3 in range(5), range(5) | length
range(100001)
dict(a=1, b=2), dict({"x": 1}, y=2), dict([("k", "v")])
[1, 2.0, "a", none, true, missing], (1,), (), {}, {"a": (1, 2)}, {1: 2, none: 3, 1.5: true}
"it's", ["it's", 'say "hi"', "both ' and \"", "new\nline\t\\ \x00 \x7f é 😀 \u200b \xa0"]
namespace(a=1, b="x").b
x if false
x if false else "other", 1 if t, (1 if no) is defined
(1 if no) | length, "a" if t else "b" if no else "c"
-5 | abs, (-5.5) | abs, -xs | length
-n | abs, +n, - -n
xs | batch(2) | list, xs | batch(2, "-") | list, range(7) | slice(3) | list, range(7) | slice(3, "x") | list
s | capitalize, "ab" | center(6) ~ "|", xs | count, d | length
d | dictsort, {"b": 1, "A": 2, "c": 0} | dictsort, {"b": 1, "A": 2} | dictsort(true), {"b": 1, "A": 2} | dictsort(false, "value"), {"b": 1, "A": 2} | dictsort(reverse=true)
html | e, html | escape | e, html | safe, html | forceescape, (html | e) ~ "<", (html | e) + "<", "<" + (html | e), (html | safe) * 2
(html | safe) | forceescape, ["<" | safe, "<"] | string, ("<" | safe) | upper, ("a%s" | safe) % "<", ("a{}" | safe).format("<"), ("," | safe).join(["<", "&" | safe])
("<x>" | safe).replace("x", "<"), ("<a> b" | safe).split(), ("<" | safe)[0], ("<" | safe) | length, ("<" | safe) is escaped, "<" is escaped, ("<" | safe) is string, ("<" | safe) == "<"
1 | filesizeformat, 999 | filesizeformat, 1000 | filesizeformat, 1234567 | filesizeformat, 1234567 | filesizeformat(true), 1e30 | filesizeformat, "12345" | filesizeformat
xs | first, [] | first, xs | last, e | first, s | first, s | last, d | first
"3.7" | float, "x" | float, "x" | float(1.5), 3 | float, none | float, "1e3" | float, " 2 " | float, "inf" | float, "1_0" | float
"42" | int, "42.9" | int, "x" | int, "x" | int(7), 3.9 | int, -3.9 | int, "0x1f" | int(0, 16), "ff" | int(base=16), none | int, true | int, "1_000" | int, " 5 " | int, "-5" | int, "1e3" | int, "101" | int(base=2), "" | int
"%s %s" | format(1, 2), "%(x)s" | format(x=5)
users | groupby("city") | map(attribute="grouper") | list
users | groupby("age") | list
users | groupby("boss.name", default="nobody") | map("first") | list
text | indent, text | indent(2, true), text | indent(width=3, blank=true), text | indent("> "), "" | indent
5 | indent
[1, [2], "x"] | join("-"), users | join(", ", attribute="name"), s | join("."), xs | join
[1, none, 2.5] | join(","), ["<" | safe, "<"] | join
xs | length, u | length, none | length
xs | list, s | list | first, d | list
u | lower, u | upper, 5 | upper
xs | map("string") | list, users | map(attribute="name") | list, users | map(attribute="boss.name") | list, users | map(attribute="boss", default="-") | list, words | map("upper") | join(","), [[1,2],[3]] | map("sum") | list, [["a","b"]] | map("join", "-") | list, xs | map("multiply") is defined
xs | map("nope") | list
xs | map | list
none | map("upper") | list, none | select | list
xs | max, xs | min, words | max, words | min, [] | max, users | max(attribute="age"), words | max(case_sensitive=true)
[1, "a"] | max
xs | reject("odd") | list, xs | select("odd") | list, xs | select("gt", 1) | list, [0, 1, "", "a", none] | select | list, [0, 1] | reject | list, xs | select("in", [1, 2]) | list, xs | select(">=", 2) | list, xs | select("divisibleby", 2) | list
users | selectattr("boss") | map(attribute="name") | list, users | rejectattr("boss") | map(attribute="name") | list, users | selectattr("age", "equalto", 31) | map(attribute="name") | list, users | selectattr("boss", "defined") | list | length, users | rejectattr("city", "eq", "Rome") | map(attribute="name") | list
xs | replace("1", "x"), s | replace("l", "L", 2), 5 | replace("5", "6")
xs | reverse | list, s | reverse, d | reverse | list, (1, 2) | reverse | list
42.55 | round, 42.55 | round(1), 42.45 | round(1), 2.5 | round, 3.5 | round, 42.55 | round(1, "floor"), 42.51 | round(1, "ceil"), 42 | round, 1234 | round(-2), 1250.0 | round(-2), 2.675 | round(2), -2.5 | round, 42 | round(method="floor")
words | sort, words | sort(true), words | sort(case_sensitive=true), xs | sort(reverse=true), users | sort(attribute="age") | map(attribute="name") | list, users | sort(attribute="age,name") | map(attribute="name") | list, users | sort(attribute="age", reverse=true) | map(attribute="name") | list
[1, "a"] | sort
5 | string, none | string, 1.0 | string, true | string
"<p>Hello &amp; <b>bye</b>\n <!-- <x> --> now</p>" | striptags, 5 | striptags
xs | sum, users | sum(attribute="age"), [] | sum, [1.5, 2] | sum(start=10), [[1], [2]] | sum(start=[])
["a"] | sum
"hello wORLD foo-bar (baz) it's {x} <y" | title, u | title, 5 | title
d | tojson, u | tojson, u | tojson(ensure_ascii=true), d | tojson(indent=2), d | tojson(separators=(",", ":")), d | tojson(sort_keys=true), [] | tojson(indent=2), {} | tojson, (1, [], {}) | tojson(indent=4), 1.0 | tojson, 1e20 | tojson, none | tojson, html | tojson, "\x00\x7f\u2028\n\b" | tojson, {1: 1, none: 2, true: 3, 1.5: 4} | tojson, big | tojson
missing | tojson
xs | map("string") | tojson
d.items() | tojson
range(3) | tojson
"  x " | trim ~ "|", "xxaxx" | trim("x"), 5 | trim
"foo bar baz qux" | truncate(9), "foo bar baz qux" | truncate(9, true), "foo bar baz qux" | truncate(11), "foo bar baz qux" | truncate(11, false, "...", 0), "foo bar baz qux" | truncate(9, false, "…", 0), u | truncate(8, true, "", 0)
"foo" | truncate(1)
words | unique | list, [1, 1.0, true, 2] | unique | list, words | unique(case_sensitive=true) | list, users | unique(attribute="age") | map(attribute="name") | list
"a b/c?d=é&x~y+z" | urlencode, {"a b": "c/d", "e": 1} | urlencode, 5 | urlencode
"one two, three-four it's _x" | wordcount, u | wordcount, e | wordcount
"The quick brown fox jumped over the lazy dog" | wordwrap(10), "averyveryverylongword short" | wordwrap(8), "averyveryverylongword short" | wordwrap(8, false), "well-known half-baked ideas" | wordwrap(11), "a b\nc d e f" | wordwrap(3, wrapstring="|"), "  lead and   gaps  " | wordwrap(8)
{"a": "<", "b": none, "c": 5} | xmlattr, {"a": 1} | xmlattr(false)
{"a b": 1} | xmlattr
d | attr("items") is callable, d | attr("b") is defined, s | attr("upper") is defined
d | items | list, missing | items | list
5 | items | list
xs | nosuchfilter
xs is nosuchtest
1 is odd, 2 is even, 9 is divisibleby 3, 9 is divisibleby(2), n is defined, missing is undefined, none is none, true is true, 1 is true, false is false, 0 is false, 1 is boolean, true is boolean, 1 is integer, true is integer, 1.0 is float, 1 is number, true is number, "a" is number
s is string, d is mapping, xs is mapping, xs is sequence, s is sequence, d is sequence, xs is iterable, 5 is iterable, s is iterable, none is iterable, range(3) is sequence, xs | map("string") is iterable, missing is iterable, missing is sequence, d.items() is sequence
"abc" is lower, "ABC" is upper, range is callable, 5 is callable, 1 is sameas 1, none is sameas none, true is sameas true, 1 in [1], 1 is in [1, 2], 3 is not in [1], "x" is eq "x", 1 is lt 2, 2 is ge(2), "upper" is filter, "odd" is test, "zz" is filter
1 is eq 1 and 2 is ne 3 or false
s is string is defined
5 is divisibleby 0
xs.0, d.a.1.x, [[1, 2]].0.1
[1, 2,], (1, 2,), {"a": 1,}
{"a": 1}["a"], [1, 2][1], "abc"[1], (1, 2)[0]
{[1]: 2}
d[xs]
cycler("a", "b").next(), cycler("a").current
cycler()
joiner(",")() ~ joiner(",")()
lipsum is defined
strftime_now("%Y-%m-%d %H:%M:%S %d %b %Y %B %A %a %j %U %W %w %y %I %p %e %-d %f %% %q")
raise_exception("stop here")
self is defined
loop is defined
s.encode is defined, s.format is defined
(1).real, 5.bit_length is defined
1.5.is_integer(), 2.0.is_integer()
xs | sort | first, (xs | sort)[0], xs|sort|join('')|int + 1
"a" ~ "b" * 2 ~ 1 + 1
[1] in [[1]], (1, 2) in {(1, 2): 3}
{"x": 1, "x": 2}
"" or "x", 0 or none, 1 and 2, 0 and 1, not "", [] or {} or 0
s | upper | lower | title | length
s | upper() | replace("L", "l") | trim
(s ~ "!")[0:3]
"\{" ~ '%' ~ "}"
{"a": {"b": [1, {"c": "deep"}]}}.a.b[1].c
-3 ** f, -2 ** z, -2 ** 2, n ** 2, u.swapcase(), ("<" | safe) | list, "x" % missing, "x" % range(2)
missing | last, range(4).count(2), range(4).index(3), xs | truncate(9), missing | truncate(9)
u | indent(1) | length, u | center(40) | length
"x" | default, missing | default, missing.x | default("y")
xs | pprint, "a" | pprint, d | pprint, none | pprint, {"b": 1, "a": 2} | pprint
"%s" % undefinedthing, "%s|%s" % (missing, 1)
"%d" % missing
s | format(missing)
"%s" | format(missing)
1 if missing else 2, missing and 1, missing or 3
[missing] | join, missing ~ "x"
[1, 2, 3][true], xs[1.0], s["upper"] is callable, xs["append"] is defined
'%s' % (1,), '%s' % [(1, 2)]
1.0 == 1, 0.1 + 0.2 == 0.3, 1e308 * 10, -(1e308 * 10), 10 ** 400 > 1e308
10 ** 400 * 1.0
"a" is in "abc", "é" in u, "" in s
'a\
b'
1 .real
"abc" | list | join("|"), "abc" | map("upper") | list
1,2
()
(1)
'''.strip("\n")

# Each entry is a whole template.
TEMPLATES = [
    "a\n  {% if t %}\n  yes\n  {% else %}\n  no\n  {% endif %}\nb\n", "{% if t %}x{% endif %}\n\ny", "  {% set x = 1 %}  \n{{ x }}\n\n",
    "a {%- if t -%} b {%- endif -%} c", "a\n {%+ if t %}\n b\n {%- endif +%}\n c", "  {{ 1 }}  \n  {{- 2 -}}  \n3", "  {# c #}\nx {#- c -#}  y  {#+ c +#}\nz",
    "{% raw %}{{ x }} {% if %}{% endraw %}!", "a  {%- raw -%}  {{ x }}  {%- endraw -%}  b", "  {% raw %}\n  x\n  {% endraw %}\ny", "{% raw %}never closed", "{# never closed", "{{ 1", "{% if t %}",
    "{{ '}}' }} {{ {'a': {'b': 1}}['a'] }} {{ \"%}\" }}", "a\r\nb\rc\n{% if t %}\r\nd{% endif %}\r\n", "x{{ '\r\n' }}y", "{", "{a} {{ '{' }} {", "\n\n", "\n", "",
    "{% for x in xs %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ',' if not loop.last }}{% endfor %}", "{% for x in [] %}a{% else %}empty{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for a, b in [1, 2] %}{{ a }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for x in none %}{% endfor %}", "{% for x in missing %}a{% else %}b{% endfor %}",
    "{% for x in range(6) if x is odd %}{{ loop.index }}:{{ x }}({{ loop.length }}) {% else %}none{% endfor %}", "{% for x in range(6) if x > 9 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in range(9) %}{% if x == 2 %}{% continue %}{% elif x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in [1] %}{% break %}{% else %}else{% endfor %}", "{% for x in [1, 2] %}{% continue %}{% else %}else{% endfor %}", "{% for x in [1,2] %}{% if x == 2 %}{% break %}{% endif %}{{x}}{% else %}else{% endfor %}", "{% break %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }}{{ loop.first }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.index0 }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}", "{% for x in xs %}{{ loop }}{% endfor %}",
    "{% for n in tree recursive %}{{ n.v }}@{{ loop.depth }}{% if n.kids %}[{{ loop(n.kids) }}]{% endif %}{% endfor %}", "{% for x in xs %}{{ loop([1]) }}{% endfor %}", "{% for x in xs %}{% for y in [1, 2] %}{{ loop.index }}{{ loop.first }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% set x = 1 %}{% for i in xs %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(x=0) %}{% for i in xs %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns }}", "{% set d.x = 1 %}", "{% set ns = namespace() %}{{ ns.y is defined }}{% set ns.y = 2 %}{{ ns.y }}", "{% set a, b = 1, 2 %}{{ b }}{{ a }}", "{% set a = 1, 2 %}{{ a }}", "{% set a, b = [1] %}",
    "{% set x %}a {{ n }} b{% endset %}[{{ x }}]", "{% set x | upper | replace('A', 'z') %}a b{% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{% endset %}{{ y is defined }}", "{% if t %}{% set q = 5 %}{% endif %}{{ q }}", "{% if no %}{% set n = 5 %}{% endif %}{{ n }}", "{% if no %}{% set q = 5 %}{% endif %}{{ q is defined }}",
    "{% macro m(a, b=2, c=a) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c=9) }} {{ m() }} {{ m(b=1, a=0) }}", "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in {{ n }}{% endcall %}", "{% macro m(xs) %}{% for x in xs %}{{ caller(x, loop.index) }};{% endfor %}{% endmacro %}{% call(a, b=7) m(xs) %}{{ a }}/{{ b }}{% endcall %}", "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}", "{% macro m() %}{{ m.name }}{{ m.arguments }}{{ m }}{% endmacro %}{{ m() }}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro m() %}{{ late }}{% endmacro %}{% set late = 'L' %}{{ m() }}", "{% macro m(x) %}{% set x = x + 1 %}{{ x }}{% endmacro %}{% set x = 10 %}{{ m(1) }}{{ x }}", "{% macro m(a, b=1, c) %}{% endmacro %}", "{% for i in [1,2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(s) %}{{ s | upper }}{% endmacro %}{{ m('a') + '<' }}{{ m('b') | length }}", "{{ m('x') }}{% macro m(s) %}{{ s }}{% endmacro %}",
    "{% filter upper %}a {{ s }} b{% endfilter %}", "{% filter replace('a', 'b') | indent(2, true) %}a\na{% endfilter %}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}{{ a is defined }}{{ c is defined }}", "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}", "{% with a = 1, b = a %}{{ b }}{% endwith %}",
    "{% generation %}a{{ n }}{% set g = 1 %}{% endgeneration %}{{ g is defined }}", "{% for m in messages %}{% if m.role == 'user' %}{% generation %}{{ m.content }}{{ loop.index }}{% endgeneration %}{% endif %}{% endfor %}", "{% block b %}x{{ n }}{% endblock %}", "{% set q = 2 %}{% for i in [1] %}{% block b scoped %}{{ i }}{{ q }}{% endblock b %}{% block c %}{{ i is defined }}{{ q }}{% endblock %}{% endfor %}", "{% block b %}{% endblock %}{% block b %}{% endblock %}",
    "{% print n, s %}", "{% autoescape false %}{{ html }}{% endautoescape %}", "{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% nosuchtag %}", "{% endif %}", "{% if %}{% endif %}", "{% for x xs %}{% endfor %}", "{% set 1 = 2 %}", "{% set x.y.z = 2 %}", "{{ }}", "{{ 1 2 }}", "{{ (1 }}", "{{ [1) }}", "{{ 'a }}", "{{ a | }}", "{{ a. }}", "{{ f(a=1, 2) }}", "{{ f(a=1, a=2) }}", "{{ 1 is }}", "{{ @ }}", "{{ a b }}", "{% if t %}{% else %}{% elif no %}{% endif %}", "{{ not }}", "{{ x if }}", "{% for loop in xs %}{% endfor %}", "{% if t: %}x{% endif %}",
    "{% if no %}{{ 1 | nosuch }}{% endif %}ok", "{% for x in [] %}{{ 1 | nosuch }}{% endfor %}ok", "{{ 1 if t else 1 | nosuch }}", "{% if no %}{{ 1 is nosuch }}{% endif %}ok", "{% if no %}{% for x in xs %}{{ 1 | nosuch }}{% endfor %}{% endif %}ok",
    "{% set c = cycler('a', 'b', 'c') %}{% for x in range(5) %}{{ c.next() }}{% endfor %}{{ c.current }}{{ c.reset() }}{{ c.current }}", "{% set j = joiner('; ') %}{% for x in xs %}{{ j() }}{{ x }}{% endfor %}", "{% set g = xs | map('string') %}{{ g | list }}{{ g | list }}", "{% set g = xs | select('odd') %}{{ 1 in g }}{{ g | list }}", "{% for x in xs | map('string') %}{{ loop.last }}{{ loop.length }}{% endfor %}", "{% set g = xs | map('nosuch') %}ok", "{{ xs | map('upper') | length }}",
    "{%- for m in messages %}\n    {%- if m['content'] is none %}\n        {{- '<|' + m['role'] + '|>' }}\n        {%- for tc in m.tool_calls %}\n            {{- tc.function | tojson }}\n        {%- endfor %}\n    {%- else %}\n{{ m.role }}: {{ m.content | trim }}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\nA:{% endif %}",
    "{{ messages[0].content if messages and messages[0].role == 'system' else 'default' }}", "{{ messages[1:] | map(attribute='role') | join(',') }}", "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "{{ messages[-1]['content'] + 'x' }}", "{{ messages | last }}", "{% set system, rest = messages[0], messages[1:] %}{{ system.content }}{{ rest | length }}", "{{ messages | map(attribute='content') | select('string') | join('|') }}",
    "{% macro p(x, depth=0) %}{% if x is mapping %}{% for k, v in x | dictsort %}{{ '  ' * depth }}{{ k }}:\n{{ p(v, depth + 1) }}{% endfor %}{% elif x is iterable and x is not string %}{% for i in x %}{{ p(i, depth + 1) }}{% endfor %}{% else %}{{ '  ' * depth }}{{ x }}\n{% endif %}{% endmacro %}{{ p(d) }}",
    "{% for x in xs -%}\n  {{ x }}\n{%- endfor %}", "{% for x in xs %}\n  {{ x }}\n{% endfor %}\n", "{%- set x = 1 -%}\n\n  {{ x }}  \n\n{%- if x -%}  z  {%- endif %}\n", "{%set x=1%}{{x}}{%if x%}y{%endif%}", "{{n}}{{-n}}{{+n}}{{ -n }}", "\t{% if t %}\n\tx\n\t{% endif %}\n", "x {% if t %}\n y{% endif %}\n {% if t %} z{% endif %}", "{{ 1 }}{# c #}\n{{ 2 }}\n{# c #}\n{{ 3 }}", "{% if t %}a{% endif %}{% if t %}\nb{% endif %}",
    "{{ dict(**{'a': 1}) }}{{ '{}{}'.format(*[1, 2]) }}{{ '{a}'.format(**{'a': 5}) }}", "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(1, **{'b': 3}) }}{{ m(*[1], b=4) }}", "{{ range(1, *[3]) | list }}", "{{ xs | join(*['-']) }}", "{{ s.replace('l', count=1) }}", "{{ '%s' | format(1, x=2) }}", "{{ s | replace(old='l', new='_') }}", "{{ s | trim(nosuch=1) }}", "{{ xs | sort(nosuch=1) }}", "{{ s.split(sep=',', maxsplit=1) }}", "{{ s | length(1) }}",
    "{% set x = namespace(a=[1]) %}{% set x.a = x.a + [2] %}{{ x.a }}", "{% set x = namespace({'k': 1}) %}{{ x.k }}{{ x['k'] }}", "{% set n = n + 1 %}{{ n }}", "{{ n }}{% set n = 1 %}{{ n }}{% for i in [1] %}{{ n }}{% set n = 2 %}{{ n }}{% endfor %}{{ n }}", "{% for n in [1] %}{{ n }}{% endfor %}{{ n }}", "{% for x in [1,2,3] %}{% if loop.first %}{% set y = x %}{% endif %}{{ y }}|{% endfor %}",
    "{{ ['a', 'b'] | map('center', 3) | list }}", "{% set t = (1, 2) %}{{ t[0] }}{{ t }}", "{{ loop }}", "{{ varargs }}", "{% set range = 5 %}{{ range }}", "{{ super() }}", "{{ 'x' if loop is defined else 'y' }}", "{% set _ = xs.sort() %}", "{{ xs.sort }}", "{{ [].pop() }}", "{% set x = [] %}{% if x.append(1) %}{% endif %}{{ x }}", "{{ s.format_map({'a': 1}) }}", "{{ ''.join(xs | map('string')) }}", "{{ '日本語' | urlencode }}", "{% do 1 %}", "{{ 1|e }}", "{{ foo.bar.baz }}", "{{ foo[0] }}", "{{ d['a']['b'] }}", "{{ d['zz']['b'] }}", "{{ d.zz.b }}", "{{ (none or d).b }}",
]


def answer(template):
    try:
        return {"out": env.from_string(template).render(**copy.deepcopy(CTX))}
    except RecursionError:
        raise
    except Exception as e:
        return {"err": f"{type(e).__name__}: {e}"}


cases = []
for line in EXPRESSIONS.replace("'a\\\nb'", "").split("\n"):
    if line:
        cases.append("{{ " + line + " }}")
cases.append("{{ 'a\\\nb' }}")
cases += TEMPLATES
out = [{"template": c, **answer(c)} for c in cases]
path = pathlib.Path(__file__).parent / "own.json"
path.write_text(json.dumps({"now": NOW.isoformat(), "context": CTX, "cases": out}, ensure_ascii=True, indent=1) + "\n")
print(len(out), sum("out" in c for c in out), sum("err" in c for c in out))
