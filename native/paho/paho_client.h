// An MQTTAsync handle, which lives exactly as long as one connection: created when its stream is
// up, destroyed when the connection ends. Paho's own reconnection, timeouts, keepalive, buffering
// and persistence are never used.
//
// Only by who has the API thread's turn. Callbacks come on the I/O thread, with Paho's lock held:
// they note and return.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"
#include "paho/hooks.h"

namespace aiomqtt {

struct Will {
  std::string topic;
  std::vector<std::uint8_t> payload;
  int qos = 0;
  bool retain = false;
  std::vector<std::uint8_t> properties;  // encoded, with their length prefix
};

// What CONNECT says.
struct ConnectFields {
  int version = kMqtt311;
  std::string identifier;
  bool clean_start = true;
  int keepalive = 60;
  bool has_username = false;
  std::string username;
  bool has_password = false;
  std::vector<std::uint8_t> password;
  bool has_will = false;
  Will will;
  std::vector<std::uint8_t> properties;  // encoded, with their length prefix
};

// Hears what Paho says of one handle.
class PahoListener {
 public:
  virtual void on_paho_connected() noexcept = 0;
  // The flow of this packet identifier is over, for good or bad.
  virtual void on_paho_finished(std::uint16_t packet_identifier) noexcept = 0;

 protected:
  ~PahoListener() = default;
};

class PahoClient {
 public:
  // A filter of SUBSCRIBE or UNSUBSCRIBE: a C string, and the option byte of MQTT 5
  // section 3.8.3.1.
  struct Filter {
    const char* text = nullptr;
    std::uint8_t options = 0;
  };

  PahoClient() = default;
  PahoClient(const PahoClient&) = delete;
  PahoClient& operator=(const PahoClient&) = delete;
  ~PahoClient() { destroy(); }

  // Results of all of these are Paho's: 0 is success.
  int connect(std::uint32_t connection, const ConnectFields& fields, PahoListener& listener);
  int publish(const char* topic, Bytes payload, int qos, bool retain, Bytes properties);
  // The same without copying the payload.
  int publish(const char* topic, const SharedBuffer& payload, int qos, bool retain,
              Bytes properties);
  int subscribe(std::span<const Filter> filters, Bytes properties);
  int unsubscribe(std::span<const Filter> filters, Bytes properties);
  // Writes DISCONNECT if the connection was accepted, and forgets everything.
  void destroy() noexcept;

  [[nodiscard]] bool exists() const noexcept { return handle_ != nullptr; }

  // Makes Paho start its two threads, with a client that never connects and never goes, so that
  // they never stop. From then on Paho reaches the engine through `hooks`. 0, or an errno: not all
  // could be made, and another call tries the others again.
  [[nodiscard]] static int start_threads(PahoHooks& hooks);

  // Paho's send thread works through the commands that Paho was handed. work() does it in its place
  // on another thread, while the send thread is in its wait (PahoHooks::wait_for_commands) and
  // stays there. Only if can_work().
  [[nodiscard]] static bool can_work() noexcept;
  static void work() noexcept;

 private:
  void* handle_ = nullptr;
  PahoListener* listener_ = nullptr;
  int version_ = kMqtt311;
};

}  // namespace aiomqtt
