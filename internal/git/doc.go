// Package git gets one commit of a repository: over HTTPS or SSH, as little of its history as the server allows,
// and no more bytes and files than the limits say. What comes from the server is not trusted: objects are checked
// against their hashes and unpacked on disk, a file that is too large ends the download, and nothing is written
// outside the folder that the content goes to. No hook, filter or other program of the repository is run.
package git
