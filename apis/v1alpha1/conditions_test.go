package v1alpha1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestReasons holds the reasons to what makes them a closed, documented set:
// each is in a group that says whose turn it is, has a comment, and is spelt
// like its constant.
func TestReasons(t *testing.T) {
	turns := map[string]Turn{
		"Reasons for which it is nobody's turn":       TurnNobody,
		"Reasons for which it is the user's turn":     TurnUser,
		"Reasons for which it is the platform's turn": TurnPlatform,
	}
	file, err := parser.ParseFile(token.NewFileSet(), "conditions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	reasons := 0
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || !strings.HasPrefix(group.Doc.Text(), "Reasons") {
			continue
		}
		title := strings.Join(strings.Fields(group.Doc.Text()), " ")
		if end := strings.IndexAny(title, ":."); end > 0 {
			title = title[:end]
		}
		turn, ok := turns[title]
		if !ok {
			t.Errorf("the group %q does not say whose turn it is", title)
		}
		for _, spec := range group.Specs {
			reasons++
			checkReason(t, spec.(*ast.ValueSpec), turn)
		}
	}
	if reasons < 40 {
		t.Errorf("found %d reasons, want all", reasons)
	}
}

func checkReason(t *testing.T, spec *ast.ValueSpec, turn Turn) {
	t.Helper()
	name := spec.Names[0].Name
	value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	if name != "Reason"+value || !regexp.MustCompile(`^[A-Z][A-Za-z]+$`).MatchString(value) {
		t.Errorf("%s = %q, want it spelt like its constant", name, value)
	}
	if !strings.HasPrefix(spec.Doc.Text(), name+" is ") {
		t.Errorf("the comment of %s does not say when it is", name)
	}
	if got := TurnOf(value); got != turn {
		t.Errorf("TurnOf(%s) = %s, want %s, as its group says", value, got, turn)
	}
}

func TestTurnOfUnknownReason(t *testing.T) {
	if got := TurnOf("Surprise"); got != TurnPlatform {
		t.Errorf("TurnOf(Surprise) = %s, want %s", got, TurnPlatform)
	}
}
