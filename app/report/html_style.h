// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace warplight::app {

/// Of the HTML report, on the screen and on paper: pages have numbers where the browser knows margin boxes, heads of
/// tables are repeated, and no figure is split.
inline constexpr const char* htmlStyle = R"(
body { font: 15px/1.5 Inter, system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 900px; margin: 40px auto; padding: 0 20px; }
h1 { font-size: 28px; margin-bottom: 4px; } h2 { font-size: 20px; margin-top: 48px; border-top: 1px solid #e3e6eb; padding-top: 24px; }
h3 { font-size: 16px; margin: 32px 0 2px; } .muted { color: #667085; } .badge { border: 1px solid #e3e6eb; border-radius: 4px; padding: 0 5px; font-size: 12px; color: #667085; }
a { color: inherit; text-decoration: none; } nav a:hover { text-decoration: underline; } nav > ol > li > a { font-weight: 600; } nav ol ol { list-style: none; padding-left: 0; }
.findings p { margin: 6px 0 10px; } .warning { border-left: 3px solid #b45309; padding-left: 8px; } .failed { border-left: 3px solid #b42318; padding-left: 8px; }
.pairs { display: flex; gap: 60px; flex-wrap: wrap; align-items: flex-start; } .pairs td { vertical-align: top; overflow-wrap: anywhere; text-align: left; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; } td, th { padding: 3px 12px 3px 0; text-align: right; vertical-align: top; }
td.text, th.text { text-align: left; overflow-wrap: anywhere; min-width: 6em; } th { color: #667085; font-weight: 500; border-bottom: 1px solid #98a2b3; vertical-align: bottom; }
caption { text-align: left; color: #667085; padding-top: 8px; }
.metrics { display: flex; flex-wrap: wrap; gap: 28px; margin: 16px 0; } .metrics b { font-size: 22px; display: block; }
svg { width: 100%; height: auto; } figure { margin: 0; } .map svg { max-width: 640px; display: block; } .scroll { overflow-x: auto; } .wide .scroll svg { min-width: 1100px; }
.strip { display: grid; grid-template-columns: 1fr 1fr; gap: 18px; } .rich { grid-template-columns: 1fr; } .strip p { margin: 0 0 4px; font-size: 13px; }
pre { font-size: 12px; white-space: pre-wrap; }
@page { size: A4; margin: 16mm; @bottom-right { content: "page " counter(page) " of " counter(pages); font: 8pt Inter, sans-serif; color: #667085; } }
@page wide { size: A4 landscape; }
@media print {
body { max-width: none; margin: 0; padding: 0; font-size: 9.5pt; } h1 { font-size: 20pt; } h2 { font-size: 15pt; border-top: 0; padding-top: 0; margin-top: 0; } h3 { font-size: 11pt; margin-top: 14pt; }
section.run { break-before: page; } h2, h3 { break-after: avoid; } figure, .frame, tr, caption { break-inside: avoid; } figure.flows { break-inside: auto; }
table { font-size: 8pt; } td, th { padding: 1.5pt 9pt 1.5pt 0; } td { border-bottom: 0.5pt solid #e3e6eb; } thead { display: table-header-group; } .badge { font-size: 7pt; padding: 0 2pt; }
figure .muted { font-size: 8pt; } .scroll { overflow: visible; } .wide { page: wide; } .wide .scroll svg { min-width: 0; max-height: 150mm; }
svg { max-height: 105mm; } .frame svg { max-height: 62mm; } .rich .frame svg { max-height: 100mm; } .code svg { max-height: 225mm; } .map svg { max-width: 115mm; } details { display: none; } .strip { gap: 10pt; } .strip p { font-size: 8pt; }
nav a::after { content: leader(".") target-counter(attr(href), page); }
}
)";

} // namespace warplight::app
