// Package layer makes one image layer out of what a program changed in a file system, without being root and
// without a container engine: Note remembers the file system, Pack compares it with what is there now and writes
// the difference as a tar, and Verify checks such a tar before a process that holds credentials uses it.
//
// The layer depends on what the files hold, and on nothing else. Where the file system remembers more than that,
// these rules decide:
//
//   - Entries are sorted. Users and groups have no names.
//   - What was there before keeps its owner; what is new has that of the directory that it is in, since the UID of
//     a build is as random as that of a notebook. The group may do what the owner may.
//   - A file that was written has the time Options.Epoch, and so have directories. A file of which only the
//     permissions or links changed keeps its own time.
//   - Python's byte code holds the time of its source, to know when it is outdated. Where it was up to date, it is
//     given the source's new time, so that it still is.
//   - setuid and setgid of files, and extended attributes other than user.*, are not taken over: they would be
//     given to files of other owners than those who set them.
//   - Sockets, pipes and devices are left out.
//
// A removed file becomes a whiteout. A directory nothing of which was left becomes opaque.
package layer
