// Made by scripts/boundary.mjs from ts/engine/boundary.ts, which says what each number means.
#pragma once

#include <cstdint>

namespace aiomqtt {

namespace record {
inline constexpr std::uint32_t kWords = 8;
inline constexpr std::uint32_t kLimit = 1024;
inline constexpr std::uint32_t kHead = 0;
inline constexpr std::uint32_t kConnection = 1;
inline constexpr std::uint32_t kSubject = 2;
inline constexpr std::uint32_t kOffset = 3;
inline constexpr std::uint32_t kLength = 4;
inline constexpr std::uint32_t kCode = 5;
inline constexpr std::uint32_t kErrno = 6;
}  // namespace record

namespace event {
inline constexpr std::uint32_t kMessage = 1;
inline constexpr std::uint32_t kTopic = 2;
inline constexpr std::uint32_t kOpened = 3;
inline constexpr std::uint32_t kClosed = 4;
inline constexpr std::uint32_t kDone = 5;
inline constexpr std::uint32_t kTrace = 6;
inline constexpr std::uint32_t kSession = 7;
inline constexpr std::uint32_t kReceived = 8;
inline constexpr std::uint32_t kReleased = 9;
inline constexpr std::uint32_t kAuth = 10;
inline constexpr std::uint32_t kStalled = 11;
inline constexpr std::uint32_t kLowered = 12;
}  // namespace event

namespace message {
inline constexpr std::uint32_t kPropertiesLength = 5;
inline constexpr std::uint32_t kPayloadLength = 6;
inline constexpr std::uint32_t kIdentifier = 7;
inline constexpr std::uint32_t kQos = 0b0011;
inline constexpr std::uint32_t kRetain = 0b0100;
inline constexpr std::uint32_t kDup = 0b1000;
}  // namespace message

namespace done {
inline constexpr std::uint32_t kPropertiesLength = 6;
}  // namespace done

namespace session {
inline constexpr std::uint32_t kReceivedLow = 2;
inline constexpr std::uint32_t kReceivedHigh = 5;
inline constexpr std::uint32_t kSentLow = 6;
inline constexpr std::uint32_t kSentHigh = 7;
inline constexpr std::uint32_t kHead = 4;
}  // namespace session

namespace topic {
inline constexpr std::uint32_t kInline = 0xffffffff;
inline constexpr std::uint32_t kLimit = 65536;
}  // namespace topic

namespace code {
inline constexpr std::uint32_t kWithdrawn = 0x100;
inline constexpr std::uint32_t kRefused = 0x1000;
}  // namespace code

namespace cause {
inline constexpr std::uint32_t kLocal = 0;
inline constexpr std::uint32_t kAborted = 1;
inline constexpr std::uint32_t kTransport = 2;
inline constexpr std::uint32_t kRefused = 3;
inline constexpr std::uint32_t kServerDisconnect = 4;
inline constexpr std::uint32_t kKeepalive = 5;
inline constexpr std::uint32_t kProtocol = 6;
inline constexpr std::uint32_t kTls = 7;
}  // namespace cause

namespace transport {
inline constexpr std::uint32_t kConnect = 1;
inline constexpr std::uint32_t kRead = 2;
inline constexpr std::uint32_t kWrite = 3;
inline constexpr std::uint32_t kHandshake = 4;
}  // namespace transport

namespace command {
inline constexpr std::uint32_t kLength = 0;
inline constexpr std::uint32_t kHead = 1;
inline constexpr std::uint32_t kConnection = 2;
inline constexpr std::uint32_t kOperation = 3;
inline constexpr std::uint32_t kWords = 4;
inline constexpr std::uint32_t kPublish = 1;
inline constexpr std::uint32_t kSubscribe = 2;
inline constexpr std::uint32_t kUnsubscribe = 3;
inline constexpr std::uint32_t kCancel = 4;
inline constexpr std::uint32_t kClose = 5;
inline constexpr std::uint32_t kRelease = 8;
inline constexpr std::uint32_t kAcknowledge = 9;
inline constexpr std::uint32_t kAuth = 10;
}  // namespace command

namespace publish {
inline constexpr std::uint32_t kTopicLength = 4;
inline constexpr std::uint32_t kPropertiesLength = 5;
inline constexpr std::uint32_t kPayloadLength = 6;
inline constexpr std::uint32_t kIdentifier = 7;
inline constexpr std::uint32_t kWords = 8;
inline constexpr std::uint32_t kStaged = 0b10000;
}  // namespace publish

namespace filters {
inline constexpr std::uint32_t kCount = 4;
inline constexpr std::uint32_t kPropertiesLength = 5;
inline constexpr std::uint32_t kIdentifier = 6;
inline constexpr std::uint32_t kWords = 7;
}  // namespace filters

namespace close {
inline constexpr std::uint32_t kReason = 4;
inline constexpr std::uint32_t kPropertiesLength = 5;
inline constexpr std::uint32_t kWords = 6;
inline constexpr std::uint32_t kForce = 1;
}  // namespace close

namespace release {
inline constexpr std::uint32_t kIdentifier = 4;
inline constexpr std::uint32_t kWords = 5;
}  // namespace release

namespace acknowledge {
inline constexpr std::uint32_t kIdentifier = 4;
inline constexpr std::uint32_t kWords = 5;
}  // namespace acknowledge

namespace auth {
inline constexpr std::uint32_t kCode = 4;
inline constexpr std::uint32_t kPropertiesLength = 5;
inline constexpr std::uint32_t kWords = 6;
}  // namespace auth

namespace window {
inline constexpr std::uint32_t kLimit = 65533;
}  // namespace window

namespace large {
inline constexpr std::uint32_t kFrom = 65536;
}  // namespace large

namespace chunk {
inline constexpr std::uint32_t kBytes = 8192;
}  // namespace chunk

namespace beside {
inline constexpr std::uint32_t kQueue = 16777216;
}  // namespace beside

namespace traffic {
inline constexpr std::uint32_t kReceived = 0;
inline constexpr std::uint32_t kSent = 1;
inline constexpr std::uint32_t kRoundTrip = 2;
inline constexpr std::uint32_t kUnread = 3;
inline constexpr std::uint32_t kDelivered = 4;
inline constexpr std::uint32_t kUnreleased = 5;
inline constexpr std::uint32_t kReplies = 6;
inline constexpr std::uint32_t kAliases = 7;
inline constexpr std::uint32_t kFields = 8;
}  // namespace traffic

}  // namespace aiomqtt
