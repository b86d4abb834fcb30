package figures

import "testing"

func TestString(t *testing.T) {
	for want, f := range map[string]Figure{
		"figure import_writes 4 requests max 4": {Name: "import_writes", Value: 4, Unit: "requests", Bar: 4},
		"figure rss 31.5 MiB max -":             {Name: "rss", Value: 31.5, Unit: "MiB", Bar: NoBar},
		"figure faster 12 times min 10":         {Name: "faster", Value: 12, Unit: "times", Bar: 10, Least: true},
		"figure over 1.36 times max 1.25":       {Name: "over", Value: 1.3599999999999999, Unit: "times", Bar: 1.25},
		"figure third 0.333 s max 1":            {Name: "third", Value: 1.0 / 3, Unit: "s", Bar: 1},
		"figure grows -0.1 MB max 5":            {Name: "grows", Value: 42.1 - 42.2, Unit: "MB", Bar: 5},
	} {
		if got := f.String(); got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}

func TestMissed(t *testing.T) {
	for name, c := range map[string]struct {
		Figure
		want bool
	}{
		"under":      {Figure{Value: 3, Bar: 4}, false},
		"over":       {Figure{Value: 5, Bar: 4}, true},
		"a little":   {Figure{Value: 4.0001, Bar: 4}, true},
		"no bar":     {Figure{Value: 5, Bar: NoBar}, false},
		"too few":    {Figure{Value: 3, Bar: 4, Least: true}, true},
		"enough":     {Figure{Value: 4, Bar: 4, Least: true}, false},
		"any at all": {Figure{Value: 0, Bar: NoBar, Least: true}, false},
	} {
		if got := c.Missed(); got != c.want {
			t.Errorf("%s: want %t", name, c.want)
		}
	}
}
