// Package containerfile builds a repository's Containerfile with buildah, in three steps that trust each other as
// little as they need to.
//
// A trusted step reads the file, refuses what cannot be honoured, and fetches every image that it builds on into an
// OCI layout (Parse, Fetch). A step that runs the user's commands, and has neither credentials nor anything to look
// up, builds into another layout (Build). A trusted step checks what lies there as something hostile, and makes of it
// an image whose base layers are those that were fetched (Open).
package containerfile
