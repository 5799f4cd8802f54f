#include "broker/full_disk_rule.hpp"

#include <algorithm>

namespace holdfast::broker {

std::optional<std::string> full_disk_rule::decide(bool leads, bool is_full,
                                                  const std::vector<follower>& followers,
                                                  std::chrono::milliseconds now) {
    note_room(followers, now);
    if (!is_full)
        full_since_.reset();
    else if (!full_since_)
        full_since_ = now;
    if (!leads || !full_since_ || now - *full_since_ < times_.full_for)
        return std::nullopt;
    if (attempt_since_ && now - *attempt_since_ >= times_.attempt && now - *attempt_since_ < times_.pause)
        return std::nullopt;
    for (const auto& [name, is_caught_up, has_room] : followers) {
        if (!is_caught_up || !has_room || now - room_since_.at(name) < times_.room_for)
            continue;
        if (!attempt_since_ || now - *attempt_since_ >= times_.pause)
            attempt_since_ = now;
        return name;
    }
    return std::nullopt;
}

void full_disk_rule::note_room(const std::vector<follower>& followers, std::chrono::milliseconds now) {
    std::erase_if(room_since_, [&](const auto& known) {
        return std::none_of(followers.begin(), followers.end(),
                            [&](const follower& one) { return one.name == known.first && one.has_room; });
    });
    for (const auto& one : followers)
        if (one.has_room)
            room_since_.emplace(one.name, now);
}

} // namespace holdfast::broker
