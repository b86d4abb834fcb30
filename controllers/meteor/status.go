package meteor

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// standing is how a pipeline stands, as its condition tells it.
type standing struct {
	name   string
	status metav1.ConditionStatus
	reason string
	text   string
}

// stand tells from how its part of the pass ended how a pipeline stands.
func (p *part) stand(s *scope) standing {
	if p.err == nil {
		return standing{p.name, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, p.success(s)}
	}
	if wait, ok := outcome.AsWait(p.err); ok {
		return standing{p.name, metav1.ConditionUnknown, wait.Reason, wait.Message}
	}
	if stall, ok := outcome.AsStall(p.err); ok {
		return standing{p.name, metav1.ConditionFalse, stall.Reason, stall.Error()}
	}
	return standing{p.name, metav1.ConditionUnknown, v1alpha1.ReasonProgressingWithRetry, sentence(p.err.Error())}
}

// toolNames are the tools as people write them.
var toolNames = map[v1alpha1.BookTool]string{
	v1alpha1.BookToolJupyterBook: "Jupyter Book", v1alpha1.BookToolSphinx: "Sphinx", v1alpha1.BookToolNbconvert: "nbconvert",
}

func (p *part) success(s *scope) string {
	switch {
	case p.name == v1alpha1.PipelineJupyterHub:
		return fmt.Sprintf("CustomNBImage %q is ready", s.obj.Status.CustomNBImageName)
	case p.name == v1alpha1.PipelineJupyterBook && s.obj.Status.Site != nil:
		site := s.obj.Status.Site
		return fmt.Sprintf("The site of %d pages, built with %s, is at %s", site.Pages, toolNames[site.BuiltWith], p.url)
	case p.url != "":
		return fmt.Sprintf("PipelineRun %q succeeded, and tells of %s", p.runName, p.url)
	}
	return fmt.Sprintf("PipelineRun %q succeeded", p.runName)
}

// setStatus sets every condition and what follows from them from the facts of the pass. Pure.
func setStatus(s *scope, clk clock.PassiveClock) {
	obj := s.obj
	set := conditions.On(&obj.Status.Conditions, obj.Generation, clk)
	if s.life.expiring {
		set.True(v1alpha1.ConditionExpiring, v1alpha1.ReasonExpiring, "The time in status.expirationTimestamp is near, when this is removed with all that it made: raise spec.ttl to keep it longer")
	} else {
		set.Remove(v1alpha1.ConditionExpiring)
	}
	if !s.reconciled {
		set.Reconciling(v1alpha1.ReasonProgressingWithRetry, sentence(s.err.Error()))
		obj.Status.Phase = phaseOf(obj.Status.Conditions)
		return
	}
	all := make([]standing, 0, len(s.parts))
	for _, p := range s.parts {
		all = append(all, p.stand(s))
	}
	setParts(s, set, all)
	setInstalled(s, set)
	setSummary(s, set, all)
	obj.Status.Phase = phaseOf(obj.Status.Conditions)
	if obj.Status.Phase != v1alpha1.MeteorBuilding {
		obj.Status.ObservedGeneration = obj.Generation
	}
}

// setParts shows each pipeline by its condition, in the list and in the stage.
func setParts(s *scope, set conditions.Set, all []standing) {
	st := &s.obj.Status
	st.Pipelines, st.Stage = nil, v1alpha1.MeteorStage{}
	for i, p := range s.parts {
		st.Pipelines = append(st.Pipelines, v1alpha1.PipelineStatus{Name: p.name, PipelineRunName: p.runName, URL: p.url, Ready: p.shownReady(all[i])})
		kind := v1alpha1.ConditionPipelinePrefix + p.name
		switch now := all[i]; now.status {
		case metav1.ConditionTrue:
			set.True(kind, now.reason, now.text)
			st.Stage.Succeeded = append(st.Stage.Succeeded, p.name)
		case metav1.ConditionFalse:
			set.False(kind, now.reason, now.text)
			st.Stage.Failed = append(st.Stage.Failed, p.name)
		default:
			set.Unknown(kind, now.reason, now.text)
			st.Stage.Running = append(st.Stage.Running, p.name)
		}
	}
	for _, c := range slices.Clone(st.Conditions) {
		if name, ok := strings.CutPrefix(c.Type, v1alpha1.ConditionPipelinePrefix); ok && !s.wants(name) {
			set.Remove(c.Type)
		}
	}
}

// shownReady tells apart what the build made and cannot be used now: a site that does not answer.
func (p *part) shownReady(now standing) string {
	if (p.settled || p.ended || !p.runs()) && p.ready == string(metav1.ConditionTrue) && now.status != metav1.ConditionTrue {
		return string(metav1.ConditionUnknown)
	}
	return p.ready
}

// setInstalled tells of the operator's own pipelines, where one is to be run.
func setInstalled(s *scope, set conditions.Set) {
	i := slices.IndexFunc(s.parts, func(p *part) bool { return p.name == v1alpha1.PipelineJupyterBook })
	if i < 0 {
		set.Remove(v1alpha1.ConditionPipelinesInstalled)
		return
	}
	if p := s.parts[i]; s.installed || p.seen != nil {
		set.True(v1alpha1.ConditionPipelinesInstalled, v1alpha1.ReasonSucceeded, "The namespace has the pipelines")
		return
	}
	if wait, ok := outcome.AsWait(s.parts[i].err); ok {
		switch wait.Reason {
		case v1alpha1.ReasonTektonUnavailable, v1alpha1.ReasonWaitingForPipelines, v1alpha1.ReasonUnmanaged, v1alpha1.ReasonNamespaceExcluded:
			set.False(v1alpha1.ConditionPipelinesInstalled, wait.Reason, wait.Message)
		}
	}
}

// setSummary sums up: what is waited for comes first, then what failed. What is well beside what failed is told too,
// since it can be used.
func setSummary(s *scope, set conditions.Set, all []standing) {
	first := map[metav1.ConditionStatus]string{}
	var bad, good []string
	for _, now := range all {
		if first[now.status] == "" {
			first[now.status] = now.reason
		}
		if now.status == metav1.ConditionTrue {
			good = append(good, now.name)
			continue
		}
		bad = append(bad, fmt.Sprintf("pipeline %s: %s", now.name, now.text))
	}
	if len(bad) > 0 && len(good) > 0 {
		bad = append(bad, "what has succeeded can be used: "+strings.Join(good, ", "))
	}
	message := sentence(strings.Join(bad, "; "))
	switch {
	case s.err != nil:
		set.Reconciling(v1alpha1.ReasonProgressingWithRetry, sentence(s.err.Error()))
	case first[metav1.ConditionUnknown] != "":
		set.Reconciling(first[metav1.ConditionUnknown], message)
	case first[metav1.ConditionFalse] != "":
		set.Stalled(first[metav1.ConditionFalse], message)
	default:
		set.Ready(v1alpha1.ReasonSucceeded, readyMessage(s))
	}
}

func readyMessage(s *scope) string {
	for _, p := range s.parts {
		if p.name == v1alpha1.PipelineJupyterBook {
			return "All pipelines have succeeded; the site is at " + p.url
		}
	}
	return "All pipelines have succeeded"
}

func phaseOf(list []metav1.Condition) v1alpha1.MeteorPhase {
	switch {
	case meta.IsStatusConditionTrue(list, v1alpha1.ConditionReady):
		return v1alpha1.MeteorSucceeded
	case meta.IsStatusConditionTrue(list, v1alpha1.ConditionStalled):
		return v1alpha1.MeteorFailed
	}
	return v1alpha1.MeteorBuilding
}
