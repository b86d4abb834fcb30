package image

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// PushBuilt pushes an image that is there as a whole. Layers that name another repository of the same registry are
// mounted from there, if the registry does that. Every error it returns is a *failure.Failure.
func PushBuilt(ctx context.Context, to Side, platform v1.Platform, img v1.Image) (*Result, error) {
	p, err := NewPusher(Options{Base: to, Target: to, Platform: platform})
	if err != nil {
		return nil, err
	}
	var result *Result
	err = p.retry(ctx, func() error {
		if err := remote.Write(p.target, img, within(ctx, p.push)...); err != nil {
			return p.classify(err)
		}
		result, err = p.result(img, &Layer{})
		return err
	})
	if err != nil {
		return nil, failure.From(err)
	}
	return result, nil
}
