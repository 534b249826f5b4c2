"""The style sheet of a comparison's page: light and dark, desktop and phone."""

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #fff; --wash: #f6f6f4; --ink: #1b1d1f; --quiet: #686d73; --rule: #e3e3df;
  --reference: #9aa1a9; --candidate: #1f5fbf; --good: #1f7a4d; --bad: #b3261e;
  --good-wash: #eef6f1; --bad-wash: #fbefee;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #141618; --wash: #1c1f22; --ink: #e6e7e8; --quiet: #9aa0a6; --rule: #2e3236;
    --reference: #7d858d; --candidate: #7fb0ff; --good: #6cc495; --bad: #f2867d;
    --good-wash: #17241d; --bad-wash: #2a1a19;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 64px; }
header { padding: 28px 32px; border-radius: 10px; border-left: 6px solid; }
header.good { background: var(--good-wash); border-color: var(--good); }
header.bad { background: var(--bad-wash); border-color: var(--bad); }
header.good h1 { color: var(--good); }
header.bad h1 { color: var(--bad); }
h1 { margin: 2px 0 4px; font-size: 40px; line-height: 1.15; letter-spacing: -0.02em; }
h2 { margin: 0 0 4px; font-size: 19px; letter-spacing: -0.01em; }
.eyebrow { margin: 0; color: var(--quiet); font-size: 14px; }
.lead { margin: 0; font-size: 17px; }
ul.lead { padding-left: 1.1em; }
.what, .note, section > p, .quiet, footer { color: var(--quiet); font-size: 13.5px; }
.what { margin: 0; }
.note { margin: 6px 0 0; color: var(--bad); }
dl { display: grid; grid-template-columns: repeat(4, 1fr); gap: 24px; margin: 24px 0; }
dt { font-size: 13.5px; color: var(--quiet); }
dd { margin: 0; font-size: 28px; line-height: 1.25; letter-spacing: -0.01em; }
dd.under { font-size: 13px; letter-spacing: 0; color: var(--quiet); }
section { margin-top: 48px; }
section > p { max-width: 78ch; margin: 0 0 14px; }
.wide { overflow-x: auto; margin-top: 10px; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th {
  padding: 6px 10px; text-align: right; font-weight: 500; font-size: 12.5px; color: var(--quiet);
  border-bottom: 1px solid var(--ink); vertical-align: bottom; white-space: nowrap;
}
td {
  padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; vertical-align: top;
}
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
code { font: 12.5px ui-monospace, "DejaVu Sans Mono", monospace; color: var(--quiet); }
.gates :is(th, td):nth-child(2) { text-align: left; white-space: normal; width: 60%; }
.changes :is(th, td):nth-child(-n+3), .changes :is(th, td):last-child { text-align: left; }
.facts :is(th, td) { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.facts td:first-child { font-weight: 600; width: 7em; }
.facts td:nth-child(2) { color: var(--quiet); width: 16em; }
.totals tr:last-child td, .forests tr:last-child td { font-weight: 600; border-bottom: 0; }
.totals .quiet { font-weight: 400; font-size: 12px; }
.mark { font-weight: 600; white-space: nowrap; }
.mark::before {
  content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 8px;
  border-radius: 50%; background: currentColor;
}
.mark.good { color: var(--good); }
.mark.bad { color: var(--bad); }
.forests td { vertical-align: middle; padding-block: 1px; }
.forests :is(th, td):nth-child(5) { width: 40%; padding-inline: 18px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg.forest { height: 26px; min-width: 150px; }
svg.forest.axis { height: 16px; }
.zero { stroke: var(--quiet); stroke-width: 1; }
.limit { stroke: var(--bad); stroke-width: 1; stroke-dasharray: 3 3; opacity: 0.75; }
.interval { stroke: var(--candidate); stroke-width: 2; }
.estimate { fill: var(--candidate); }
.beyond .interval { stroke: var(--bad); }
.beyond .estimate { fill: var(--bad); }
.multiples { display: grid; grid-template-columns: repeat(5, 1fr); gap: 20px 18px; }
.groups {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 24px 36px;
  margin-bottom: 24px;
}
figure { margin: 0; min-width: 0; }
figcaption { font-size: 13px; line-height: 1.35; color: var(--quiet); margin-bottom: 4px; }
figcaption b { display: block; font-weight: 600; color: var(--ink); }
.nothing {
  display: grid; place-items: center; min-height: 90px; margin: 0; font-size: 13px;
  color: var(--quiet); background: var(--wash); border-radius: 4px;
}
.legend { display: flex; align-items: center; gap: 7px; }
.legend i { width: 22px; border-top: 3px solid; }
.legend i + i, .legend i.candidate { margin-left: 14px; }
i.reference { border-color: var(--reference); }
i.candidate { border-color: var(--candidate); border-top-width: 2px; }
.plot { fill: var(--wash); }
.grid { stroke: var(--paper); stroke-width: 1; }
.diagonal { stroke: var(--quiet); stroke-width: 0.7; stroke-dasharray: 2 3; }
.threshold { stroke: var(--bad); stroke-width: 0.7; opacity: 0.8; }
.tick { font-size: 10.5px; fill: var(--quiet); }
.small { font-size: 9.5px; }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.curve { fill: none; stroke-linejoin: round; }
.curve.reference { stroke: var(--reference); stroke-width: 3.2; }
.curve.candidate { stroke: var(--candidate); stroke-width: 1.3; }
.bin { fill: none; stroke-linecap: round; }
.bin.reference { stroke: var(--reference); stroke-width: 7; }
.bin.candidate { stroke: var(--candidate); stroke-width: 4; }
.cloud {
  fill: none; stroke: var(--candidate); stroke-width: 1.8; stroke-linecap: round; opacity: 0.55;
}
.cell.right { fill: var(--candidate); }
.cell.wrong { fill: var(--bad); }
.count { font-size: 12.5px; fill: var(--ink); }
.bars {
  display: grid; grid-template-columns: max-content 1fr max-content; gap: 2px 10px;
  align-items: center; font-size: 13px;
}
.barline { height: 20px; }
.bar.reference { fill: var(--reference); }
.bar.candidate { fill: var(--candidate); }
footer { margin-top: 56px; padding-top: 14px; border-top: 1px solid var(--rule); }
@media (max-width: 900px) {
  .multiples { grid-template-columns: repeat(3, 1fr); }
  dl { grid-template-columns: repeat(2, 1fr); }
}
@media (max-width: 600px) {
  main { padding: 12px 14px 40px; }
  header { padding: 20px 18px; }
  h1 { font-size: 32px; }
  dl { gap: 16px; margin: 18px 0; }
  dd { font-size: 22px; }
  section { margin-top: 36px; }
  .multiples { grid-template-columns: repeat(2, 1fr); gap: 16px 12px; }
  .gates :is(th, td):nth-child(5) { display: none; }
  .gates td { font-size: 13px; }
  .gates :is(th, td) { padding-inline: 6px 0; }
  .gates td:is(:nth-child(3), :nth-child(4)) { white-space: normal; }
  .forests :is(th, td):is(:nth-child(n+2):nth-child(-n+4), :nth-child(7)) { display: none; }
  .forests :is(th, td):nth-child(5) { padding-inline: 8px; }
  .forests td { font-size: 13px; padding-inline: 4px; }
  svg.forest { min-width: 110px; }
}
@media print { section { break-inside: avoid; } }
"""
