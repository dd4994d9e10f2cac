// In place of the waits, timers and numbers of Paho's that cost throughput or are wrong: redirected
// by name in the objects that symbols.json lists.
#include "paho/seam.h"
#include "platform/socket.h"

extern "C" {

// Paho's send thread waits: the engine's turn. Its condition variable has no predicate (Paho
// issue 1039) and its clock can be set back (issue 920).
int seam_wait_cond(void*, int) {
  aiomqtt::seam::hooks->wait_for_commands();
  return 0;
}

int seam_signal_cond(void*) {
  aiomqtt::seam::hooks->note_command();
  return 0;
}

// Paho sleeps where it has no event to wait for; every wait of ours has one.
int seam_usleep(unsigned) { return 0; }

// Asked whether a pending TCP connect succeeded: none is ever pending.
int seam_getsockopt(aiomqtt::NativeSocket, int, int, void*, void*) { return -1; }

// Paho asks for PAHO_C_CLIENT_USE_HTTP_PROXY and http_proxy while JavaScript may change them.
char* seam_getenv(const char*) { return nullptr; }

// Keepalive is the I/O thread's: Paho's looks at all clients at an interval that the last one to
// connect has set. The argument, a time by value, is not looked at.
void seam_keepalive() {}

// Walks all clients once a packet, for retransmissions that only a second connection of the same
// handle would need, and ours have one each.
void seam_retry() {}

// Paho's scans its global queue for each identifier.
int seam_assign_packet_id(void*) { return aiomqtt::seam::hooks->assign_packet_identifier(); }

}  // extern "C"
