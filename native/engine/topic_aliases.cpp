#include "engine/topic_aliases.h"

namespace aiomqtt {

TopicAliases::Choice TopicAliases::choose(std::string_view topic, bool may_assign) {
  // An alias takes as many bytes as such a topic.
  if (topic.size() <= kPropertySize) return {};
  if (const auto found = by_topic_.find(topic); found != by_topic_.end()) {
    unlink(found->second);
    link_newest(found->second);
    return {found->second, true};
  }
  if (!may_assign) return {};
  std::size_t entry = entries_.size();
  if (entry <= most_) {
    // The map's keys point into the entries, which a growing vector moves.
    if (entries_.capacity() == entry) {
      by_topic_.clear();
      entries_.reserve(entry * 2);
      for (std::size_t i = 1; i < entry; ++i) {
        by_topic_.emplace(entries_[i].topic, static_cast<std::uint16_t>(i));
      }
    }
    entries_.emplace_back();
  } else {
    entry = entries_[0].newer;
    by_topic_.erase(entries_[entry].topic);
    unlink(entry);
  }
  entries_[entry].topic = topic;
  by_topic_.emplace(entries_[entry].topic, static_cast<std::uint16_t>(entry));
  link_newest(entry);
  return {static_cast<std::uint16_t>(entry), false};
}

void TopicAliases::take_back() {
  const std::size_t newest = entries_[0].older;
  by_topic_.erase(entries_[newest].topic);
  entries_[newest].topic.clear();
}

void TopicAliases::unlink(std::size_t entry) noexcept {
  const Entry& gone = entries_[entry];
  entries_[gone.older].newer = gone.newer;
  entries_[gone.newer].older = gone.older;
}

void TopicAliases::link_newest(std::size_t entry) noexcept {
  const std::size_t newest = entries_[0].older;
  entries_[entry].older = newest;
  entries_[entry].newer = 0;
  entries_[newest].newer = entry;
  entries_[0].older = entry;
}

}  // namespace aiomqtt
