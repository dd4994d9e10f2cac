#include "engine/authentication.h"

#include <algorithm>

namespace aiomqtt {
namespace {

std::optional<std::string> text_of(Bytes bytes) {
  if (bytes.data() == nullptr) return std::nullopt;
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace

Authentication::Authentication(const PropertyValues& connect)
    : method_(text_of(connect.authentication_method)) {}

Violation Authentication::receive(const Auth& auth) {
  if (!method_) return protocol_error("the server sent AUTH although we began no authentication");
  // The short form of success has no room for a method.
  const bool is_short = auth.code == reason::kSuccess && auth.properties.empty();
  if (!is_short && !is_agreed(auth.method)) {
    return protocol_error("AUTH has another Authentication Method than CONNECT");
  }
  const std::lock_guard lock(mutex_);
  if (turn_ != Turn::kServers) return protocol_error("the server sent AUTH out of turn");
  if (auth.code == reason::kContinueAuthentication) {
    turn_ = Turn::kOurs;
  } else if (accepted_) {
    turn_ = Turn::kNobodys;
  } else {
    return protocol_error("AUTH says success before CONNACK");
  }
  return {};
}

Violation Authentication::accept(const Connack& connack) {
  const Bytes method = connack.values.authentication_method;
  if (method_ ? !is_agreed(method) : method.data() != nullptr) {
    return protocol_error("CONNACK has another Authentication Method than CONNECT");
  }
  const std::lock_guard lock(mutex_);
  accepted_ = true;
  turn_ = Turn::kNobodys;
  return {};
}

bool Authentication::send(std::uint8_t code) {
  if (!method_) return false;
  const bool begins = code == reason::kReauthenticate;
  const std::lock_guard lock(mutex_);
  if (turn_ != (begins ? Turn::kNobodys : Turn::kOurs)) return false;
  turn_ = Turn::kServers;
  return true;
}

bool Authentication::is_agreed(Bytes method) const noexcept {
  return method.data() != nullptr && std::ranges::equal(method, *method_);
}

}  // namespace aiomqtt
