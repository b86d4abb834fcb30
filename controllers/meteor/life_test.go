package meteor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func TestLifeOf(t *testing.T) {
	const none = -1
	cases := map[string]struct {
		reason string
		ttl    int64
		config v1alpha1.MeteorDefaults
		after  time.Duration
		want   life
	}{
		"None":      {"a Meteor without a ttl is kept where the admin says nothing", none, v1alpha1.MeteorDefaults{}, time.Hour, life{}},
		"Zero":      {"zero is never, whatever the default", 0, v1alpha1.MeteorDefaults{DefaultTTLSeconds: 60}, time.Hour, life{}},
		"Default":   {"the default is for those that say nothing", none, v1alpha1.MeteorDefaults{DefaultTTLSeconds: 6000}, 0, life{expires: born.Add(6000 * time.Second), untilWarning: 5700 * time.Second}},
		"Maximum":   {"nothing lives longer than the maximum", 7000, v1alpha1.MeteorDefaults{MaximumTTLSeconds: 6000}, 0, life{expires: born.Add(6000 * time.Second), untilWarning: 5700 * time.Second}},
		"NoNever":   {"nor does what would be kept", 0, v1alpha1.MeteorDefaults{MaximumTTLSeconds: 6000}, 0, life{expires: born.Add(6000 * time.Second), untilWarning: 5700 * time.Second}},
		"Near":      {"the end is near a tenth before it", 1000, v1alpha1.MeteorDefaults{}, 900 * time.Second, life{expires: born.Add(1000 * time.Second), expiring: true}},
		"NotNear":   {"and not before", 1000, v1alpha1.MeteorDefaults{}, 899 * time.Second, life{expires: born.Add(1000 * time.Second), untilWarning: time.Second}},
		"Short":     {"a short life has a warning in its second half", 10, v1alpha1.MeteorDefaults{}, 0, life{expires: born.Add(10 * time.Second), untilWarning: 5 * time.Second}},
		"Over":      {"the end can have passed", 10, v1alpha1.MeteorDefaults{}, time.Hour, life{expires: born.Add(10 * time.Second), expiring: true}},
		"ClockBack": {"before its own creation nothing is near", 1000, v1alpha1.MeteorDefaults{}, -time.Hour, life{expires: born.Add(1000 * time.Second), untilWarning: 4500 * time.Second}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := lifeOf(newMeteor("m", c.ttl), &c.config, born.Add(c.after))
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(life{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}
