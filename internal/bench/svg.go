package bench

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Sizes of the plot, in pixels.
const (
	plotWidth   = 980
	plotMargin  = 20
	panelGap    = 30
	panelTitle  = 24
	barHeight   = 13
	barStep     = 18
	labelWidth  = 165
	valueWidth  = 80
	panelWidth  = (plotWidth - 2*plotMargin - panelGap) / 2
	barsWidth   = panelWidth - labelWidth - valueWidth
	footerLines = 2
	lineHeight  = 16
)

// plotStyle has its own background, so that the plot can be read wherever it is
// shown, and follows the reader's colors where it can.
const plotStyle = `<style>
svg { font: 12px system-ui, sans-serif }
.paper { fill: #ffffff } text { fill: #1f2328 } .title { font-weight: 600 } .note { fill: #59636e }
.kernel { fill: #8b949e } .gvisor { fill: #d9822b } .ours { fill: #2f74d0 } .range { stroke: #1f2328 }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 } text { fill: #e6edf3 } .note { fill: #9198a1 }
.kernel { fill: #6e7681 } .gvisor { fill: #db8d3f } .ours { fill: #4c8ff0 } .range { stroke: #e6edf3 }
}
</style>
`

// WriteSVG draws a panel of bars for each test: medians, with a line over the
// range.
func (r *Results) WriteSVG(w io.Writer) error {
	tests := r.Options.Tests
	panel := panelTitle + len(r.Options.Subjects)*barStep + panelGap
	height := 2*plotMargin + (len(tests)+1)/2*panel + footerLines*lineHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", plotWidth, height)
	b.WriteString("<title>Network stacks side by side</title>\n" + plotStyle)
	b.WriteString(`<rect class="paper" width="100%" height="100%"/>` + "\n")
	for i, t := range tests {
		r.panel(&b, t, plotMargin+i%2*(panelWidth+panelGap), plotMargin+i/2*panel)
	}
	m := r.Machine
	for i, line := range []string{
		fmt.Sprintf("%s, %d cores; %s; %s", m.CPU, m.Cores, m.Kernel, m.Go),
		fmt.Sprintf("Bars: medians of %s of %v; lines: from the least to the most. Gray: the kernel; orange: gVisor's; blue: this module.", rounds(r.Options.Rounds), r.Options.Duration),
	} {
		text(&b, "note", plotMargin, height-plotMargin-(footerLines-1-i)*lineHeight, line)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// panel draws one test.
func (r *Results) panel(b *strings.Builder, t Test, x, y int) {
	unit := t.Unit()
	if t.Kind.pingPong() {
		unit += "; shorter is better"
	}
	text(b, "title", x, y+barHeight, fmt.Sprintf("%s (%s)", t.Title(), unit))
	of := rateOf
	if t.Kind.pingPong() {
		of = p50Of
	}
	most := 0.0
	for _, s := range r.Options.Subjects {
		if v := r.median(s, t, of); v.Max > most {
			most = v.Max
		}
	}
	for i, s := range r.Options.Subjects {
		top := y + panelTitle + i*barStep
		text(b, "", x, top+barHeight-2, s.Name)
		v := r.median(s, t, of)
		if math.IsNaN(v.Median) {
			text(b, "note", x+labelWidth, top+barHeight-2, "not measured")
			continue
		}
		at := func(value float64) float64 { return float64(x+labelWidth) + value/most*barsWidth }
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n",
			s.side.class(), x+labelWidth, top, at(v.Median)-at(0), barHeight)
		fmt.Fprintf(b, `<path class="range" d="M%.1f %.1fH%.1f"/>`+"\n", at(v.Min), float64(top)+barHeight/2., at(v.Max))
		text(b, "", int(at(v.Max))+6, top+barHeight-2, r.value(s, t))
	}
}

// class is what the style of a side's bars is called.
func (s side) class() string {
	switch s {
	case sideOurs:
		return "ours"
	case sideGVisor:
		return "gvisor"
	}
	return "kernel"
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func text(b *strings.Builder, class string, x, y int, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, escaper.Replace(s))
}
