// Package customnbimage turns CustomNBImages into images: it starts one PipelineRun a build, tells from it how the build
// goes, and offers the image that has passed.
package customnbimage
