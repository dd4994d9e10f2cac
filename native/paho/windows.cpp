// What Paho's objects want on Windows and nowhere else.
#include "paho/seam.h"
#include "platform/socket.h"

namespace aiomqtt::seam {

int make_missing_threads() noexcept { return 0; }

}  // namespace aiomqtt::seam

extern "C" {

// Of the members that are left out. Paho makes these locks with its others, and they are not used.
HANDLE heap_mutex = nullptr;
HANDLE stack_mutex = nullptr;
HANDLE log_mutex = nullptr;

int seam_usleep(unsigned);
int seam_getsockopt(aiomqtt::NativeSocket, int, int, void*, void*);

// Functions of a DLL are called through pointers of these names.
void* __imp_seam_usleep = reinterpret_cast<void*>(&seam_usleep);
void* __imp_seam_getsockopt = reinterpret_cast<void*>(&seam_getsockopt);

}  // extern "C"
