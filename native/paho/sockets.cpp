// In place of Paho's Socket, SocketBuffer, WebSocket and Proxy modules: its sockets are our
// connections, its descriptors their numbers. Writes never fail, packets are read when they are
// whole, and Paho's WebSocket and proxy code does not exist.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "paho/seam.h"
#include "platform/socket.h"

namespace {

using aiomqtt::Bytes;
using aiomqtt::NativeSocket;
namespace seam = aiomqtt::seam;

constexpr int kComplete = 0;       // TCPSOCKET_COMPLETE
constexpr int kError = -1;         // SOCKET_ERROR
constexpr int kInterrupted = -22;  // TCPSOCKET_INTERRUPTED

// Paho's networkHandles, as far as it concerns us: its first member.
struct NetworkHandles {
  NativeSocket socket;
};

// Paho's PacketBuffers.
struct PacketBuffers {
  int count;
  char** buffers;
  std::size_t* sizes;
  int* frees;
  std::uint8_t mask[4];
};

std::uint32_t number_of(NativeSocket socket) { return static_cast<std::uint32_t>(socket); }

}  // namespace

extern "C" {

void Socket_outInitialize() {}
void Socket_setWriteContinueCallback(void*) {}
void Socket_setWriteCompleteCallback(void*) {}
void Socket_setWriteAvailableCallback(void*) {}
void Socket_addPendingWrite(NativeSocket) {}
void Socket_clearPendingWrite(NativeSocket) {}
int Socket_noPendingWrites(NativeSocket) { return 1; }
int Socket_close(NativeSocket) { return 0; }

char* Socket_getpeer(NativeSocket) {
  static char nobody[] = "";
  return nobody;
}

// Asked for only when a QoS 0 write was interrupted, which none is.
void* SocketBuffer_updateWrite(NativeSocket, char*, char*) { return nullptr; }

// The stream is up before Paho is asked to connect, so there is nothing to wait for.
// Only on Linux has it a last argument, a timeout.
int Socket_new(const char* host, std::size_t size, int, NativeSocket* socket, long) {
  *socket = static_cast<NativeSocket>(kError);
  const std::size_t prefix = std::strlen(seam::kHostPrefix);
  if (size <= prefix) return kError;
  const auto number = static_cast<NativeSocket>(std::strtol(host + prefix, nullptr, 10));
  if (!seam::hooks->has_connection(number_of(number))) return kError;
  *socket = number;
  return 0;
}

NativeSocket Socket_getReadySocket(int, int, void*, int* rc) {
  *rc = 0;
  return static_cast<NativeSocket>(seam::hooks->next_packet());
}

int WebSocket_getch(NetworkHandles* net, char* byte) {
  const std::uint8_t* const at = seam::hooks->take(number_of(net->socket), 1);
  if (at == nullptr) return kInterrupted;
  *byte = static_cast<char>(*at);
  return kComplete;
}

char* WebSocket_getdata(NetworkHandles* net, std::size_t size, std::size_t* actual) {
  const std::uint8_t* const at = seam::hooks->take(number_of(net->socket), size);
  *actual = at == nullptr ? 0 : size;
  // Paho only reads it, although its type says otherwise.
  return reinterpret_cast<char*>(const_cast<std::uint8_t*>(at));
}

std::size_t WebSocket_framePos() { return 0; }
void WebSocket_framePosSeekTo(std::size_t) {}

// Paho's packets have at most four parts after the fixed header.
int WebSocket_putdatas(NetworkHandles* net, char** head, std::size_t* head_size,
                       PacketBuffers* rest) {
  aiomqtt::PahoPacket packet;
  packet.head = {reinterpret_cast<std::uint8_t*>(*head), *head_size};
  const auto count = static_cast<std::size_t>(rest->count);
  for (std::size_t i = 0; i < count; ++i) {
    packet.rest[i] = {reinterpret_cast<const std::uint8_t*>(rest->buffers[i]), rest->sizes[i]};
  }
  // A payload that was lent to Paho is not copied here either.
  if (count > 0) {
    Bytes& last = packet.rest[count - 1];
    packet.shared = seam::borrowed(last.data());
    if (packet.shared) last = {};
  }
  seam::hooks->write(number_of(net->socket), std::move(packet));
  return kComplete;
}

void WebSocket_close(NetworkHandles*, int, const char*) {}
int WebSocket_connect(NetworkHandles*, int, const char*) { return kError; }
int WebSocket_upgrade(NetworkHandles*) { return kError; }
void WebSocket_terminate() {}
int Proxy_connect(NetworkHandles*, int, const char*) { return kError; }
int Proxy_setHTTPProxy(void*, char*, char**, char**, char*) { return kError; }
int Proxy_noProxy(char*, char*) { return 0; }

}  // extern "C"
