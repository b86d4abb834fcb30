// Package meteor makes repositories usable for a while: it has a CustomNBImage made of one, a book built of it and
// served, or any other Pipeline run on it, and takes everything away when the time is over.
package meteor
