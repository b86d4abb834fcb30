package api

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// TestColumns reads the tables that kubectl get prints, without the age.
func TestColumns(t *testing.T) {
	namespace := newNamespace(t)
	image := &v1alpha1.CustomNBImage{
		ObjectMeta: metav1.ObjectMeta{Name: "minimal", Namespace: namespace},
		Spec:       v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypeImageImport, FromImage: "python"},
	}
	meteor := &v1alpha1.Meteor{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: namespace},
		Spec:       v1alpha1.MeteorSpec{URL: "https://github.com/org/repository"},
	}
	config := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CNBiConfigName}}
	for _, obj := range []client.Object{image, meteor, config} {
		if err := k8s.Create(context.Background(), obj); err != nil {
			t.Fatal(err)
		}
		removeAtEnd(t, obj)
	}

	imagePath := "namespaces/" + namespace + "/customnbimages/minimal"
	checkTable(t, imagePath, "Name=minimal Type=ImageImport Phase=Pending Stage= Message=")
	image.Status.Phase = v1alpha1.PhaseBuilding
	image.Status.Stage = v1alpha1.StageValidating
	image.Status.Conditions = readyIs(metav1.ConditionFalse, v1alpha1.ReasonValidating, "Validating: waiting for the notebook to answer")
	updateStatus(t, image)
	checkTable(t, imagePath, "Name=minimal Type=ImageImport Phase=Building Stage=Validating Message=Validating: waiting for the notebook to answer")

	meteorPath := "namespaces/" + namespace + "/meteors/demo"
	checkTable(t, meteorPath, "Name=demo Phase=Building Url=https://github.com/org/repository Ready= Message=")
	meteor.Status.Phase = v1alpha1.MeteorSucceeded
	meteor.Status.Conditions = readyIs(metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "Site and image are ready")
	updateStatus(t, meteor)
	checkTable(t, meteorPath, "Name=demo Phase=Succeeded Url=https://github.com/org/repository Ready=True Message=Site and image are ready")

	checkTable(t, "cnbiconfigs/cluster", "Name=cluster Ready= Namespaces= Message=")
	config.Status.Namespaces.Ready = 3
	config.Status.Conditions = readyIs(metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "3 namespaces have the pipelines")
	updateStatus(t, config)
	checkTable(t, "cnbiconfigs/cluster", "Name=cluster Ready=True Namespaces=3 Message=3 namespaces have the pipelines")
}

func readyIs(status metav1.ConditionStatus, reason, message string) []metav1.Condition {
	return []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: message,
		LastTransitionTime: metav1.Now(),
	}}
}

func updateStatus(t *testing.T, obj client.Object) {
	t.Helper()
	if err := k8s.Status().Update(context.Background(), obj); err != nil {
		t.Fatal(err)
	}
}

// checkTable compares the columns that are printed without -o wide.
func checkTable(t *testing.T, path, want string) {
	t.Helper()
	data, err := tables.Get().AbsPath("apis", v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, path).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	got := ""
	for i, column := range table.ColumnDefinitions {
		if column.Priority > 0 || column.Name == "Age" {
			continue
		}
		got += " " + column.Name + "="
		if cell := table.Rows[0].Cells[i]; cell != nil {
			got += fmt.Sprint(cell)
		}
	}
	if diff := cmp.Diff(" "+want, got); diff != "" {
		t.Errorf("columns of %s (-want, +got):\n%s", path, diff)
	}
}
