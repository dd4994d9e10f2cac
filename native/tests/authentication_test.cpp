#include "engine/authentication.h"

#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

Bytes view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

PropertyValues method(std::string_view name) {
  PropertyValues values;
  values.authentication_method = view(name);
  return values;
}

Auth auth(std::uint8_t code, std::string_view name) {
  return {code, view(name), view("some properties")};
}

Connack accepting(const PropertyValues& values) {
  Connack connack;
  connack.values = values;
  return connack;
}

constexpr std::uint8_t kContinue = reason::kContinueAuthentication;

TEST("authentication: challenge and answer take turns until CONNACK, and again from our request") {
  Authentication authentication(method("m"));
  CHECK(!authentication.send(kContinue));
  CHECK(!authentication.send(reason::kReauthenticate));
  for (int round = 0; round < 3; ++round) {
    CHECK(!authentication.receive(auth(kContinue, "m")));
    CHECK(authentication.receive(auth(kContinue, "m")));
    CHECK(!authentication.send(reason::kReauthenticate));
    CHECK(authentication.send(kContinue));
    CHECK(!authentication.send(kContinue));
  }
  CHECK(!authentication.accept(accepting(method("m"))));
  for (int round = 0; round < 3; ++round) {
    CHECK(authentication.receive(auth(kContinue, "m")));
    CHECK(authentication.receive(auth(0, "m")));
    CHECK(!authentication.send(kContinue));
    CHECK(authentication.send(reason::kReauthenticate));
    CHECK(!authentication.send(reason::kReauthenticate));
    CHECK(!authentication.receive(auth(kContinue, "m")));
    CHECK(authentication.send(kContinue));
    CHECK(!authentication.receive(round == 0 ? Auth{} : auth(0, "m")));
  }
}

TEST("authentication: before CONNACK, AUTH does not say success") {
  Authentication authentication(method("m"));
  CHECK_EQ(authentication.receive(auth(0, "m")).reason, reason::kProtocolError);
}

TEST("authentication: the method is CONNECT's in each AUTH and in CONNACK") {
  for (const Bytes other : {view("n"), view("mm"), view(""), Bytes()}) {
    const Note note(other.data() == nullptr ? "none" : text_of(other));
    PropertyValues values;
    values.authentication_method = other;
    Authentication authentication(method("m"));
    CHECK_EQ(authentication.receive({kContinue, other, {}}).reason, reason::kProtocolError);
    CHECK_EQ(authentication.accept(accepting(values)).reason, reason::kProtocolError);
    CHECK(!authentication.accept(accepting(method("m"))));
  }
  Authentication empty(method(""));
  CHECK(!empty.receive(auth(kContinue, "")));
}

TEST("authentication: without a method in CONNECT there is none, in AUTH and CONNACK neither") {
  Authentication authentication({});
  CHECK_EQ(authentication.receive(auth(kContinue, "m")).reason, reason::kProtocolError);
  CHECK_EQ(authentication.accept(accepting(method("m"))).reason, reason::kProtocolError);
  CHECK_EQ(authentication.accept(accepting(method(""))).reason, reason::kProtocolError);
  CHECK(!authentication.accept(accepting({})));
  CHECK(!authentication.send(reason::kReauthenticate));
  CHECK_EQ(authentication.receive({}).reason, reason::kProtocolError);
}

// -- The whole engine --

const Buffer kMethod = bytes(0x15, field("m"));

// A connection whose CONNECT has gone out with the method "m".
class Authenticating {
 public:
  Authenticating()
      : connection([&] {
          ConnectionOptions options = options_for(listener_.address(), kMqtt5);
          options.fields.properties = properties(kMethod);
          return environment.open(std::move(options));
        }()),
        peer(listener_.accept()) {
    const Buffer connect = peer.read_packet();
    CHECK(!std::ranges::search(connect, kMethod).empty());
  }

  Environment environment;

 private:
  Listener listener_;

 public:
  const std::uint32_t connection;
  Peer peer;
};

TEST("AUTH: an exchange before CONNACK, another one later, and anything else in between") {
  Authenticating it;
  const Buffer large = properties(kMethod, 0x16, field(std::string(20'000, 'x')));
  // Out of turn: nothing of it goes out. Nor does a publish, whose end shows that this was seen to.
  const PublishFields fields = {"a", {}, 0, false, bytes(0)};
  it.environment.submit(bytes(auth_command(it.connection, 0x18, properties(kMethod)),
                              publish_command(it.connection, 1, fields)));
  CHECK(it.environment.done(it.connection, 1).words[5] > code::kRefused);
  for (const bool accepted : {false, true}) {
    if (accepted) {
      it.peer.send(packet(0x20, 0, 0, properties(kMethod)));
      (void)it.environment.next(it.connection, event::kOpened);
      it.environment.submit(auth_command(it.connection, 0x19, properties(kMethod)));
      it.peer.expect(packet(0xf0, 0x19, properties(kMethod)));
    }
    it.peer.send(packet(0xf0, 0x18, properties(kMethod, 0x16, field("question"))));
    const Event challenge = it.environment.next(it.connection, event::kAuth);
    CHECK_EQ(challenge.words[5], 0x18U);
    CHECK_EQ(challenge.bytes, bytes(kMethod, 0x16, field("question")));
    it.environment.submit(auth_command(it.connection, 0x18, large));
    it.peer.expect(packet(0xf0, 0x18, large));
  }
  it.environment.submit(publish_command(it.connection, 1, fields));
  it.peer.expect(packet(0x30, field("a"), 0));
  (void)it.environment.done(it.connection, 1);
  it.peer.send(packet(0xf0));
  CHECK_EQ(it.environment.next(it.connection, event::kAuth).words[5], 0U);
  it.environment.submit(close_command(it.connection));
  it.peer.expect(packet(0xe0));
}

TEST(
    "close: DISCONNECT has the reason that it is given, before CONNACK and after, and is the "
    "last") {
  for (const bool accepted : {false, true}) {
    Authenticating it;
    if (accepted) {
      it.peer.send(packet(0x20, 0, 0, properties(kMethod)));
      (void)it.environment.next(it.connection, event::kOpened);
    }
    const Buffer publish = publish_command(it.connection, 1, {"a", {}, 1, false, bytes(0)});
    it.environment.submit(bytes(accepted ? publish : Buffer(),
                                close_command(it.connection, false, 0x80), publish,
                                auth_command(it.connection, 0x19, properties(kMethod))));
    if (accepted) it.peer.expect(packet(0x32, field("a"), u16(1), 0));
    it.peer.expect(packet(0xe0, 0x80));
    it.peer.expect_end();
    it.peer.close();
    CHECK_EQ(it.environment.closed(it.connection).words[2], Ending::kLocal);
  }
}

TEST("AUTH: what comes out of turn ends the connection, after CONNACK with DISCONNECT") {
  for (const bool accepted : {false, true}) {
    Authenticating it;
    if (accepted) {
      it.peer.send(packet(0x20, 0, 0, properties(kMethod)));
      (void)it.environment.next(it.connection, event::kOpened);
    }
    it.peer.send(packet(0xf0, 0, properties(kMethod)));
    if (accepted) it.peer.expect(packet(0xe0, 0x82));
    it.peer.expect_end();
    const Event closed = it.environment.closed(it.connection);
    CHECK_EQ(closed.words[2], Ending::kProtocol);
    CHECK_EQ(closed.words[5], reason::kProtocolError);
  }
}

}  // namespace
}  // namespace aiomqtt::testing
