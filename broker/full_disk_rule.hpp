// When a leader whose disk is full, and which therefore refuses messages, gives the lead away, and to whom.
//
// To a follower that has caught up and says that its disk has room. The lead must not go to and fro when
// disks fill and empty at their limits: the own disk must have been full for a while without a pause, the
// other's must have had room for a longer while, and after one attempt there is a pause. Nobody takes the
// lead back: a disk that has room again is no reason.
//
// A leader that is deposed starts anew inside its process, and forgets; this must not be forgotten with it:
// one rule as long as the process lives.
//
// Plain and deterministic. Times are of one clock that never runs backwards.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::broker {

struct full_disk_times {
    std::chrono::milliseconds full_for{3'000};  // the own disk
    std::chrono::milliseconds room_for{10'000}; // the other's, as far as is known
    // An attempt: the word is repeated, since it may get lost, or come while the other lacks something.
    std::chrono::milliseconds attempt{5'000};
    std::chrono::milliseconds pause{120'000}; // from one attempt's beginning to the next one's
};

class full_disk_rule {
  public:
    struct follower {
        std::string name;
        bool is_caught_up = false; // a member that is heard, and has all that is committed
        bool has_room = false;     // it says so, and can be reached
    };

    explicit full_disk_rule(full_disk_times times = {}) : times_(times) {}

    // Called every second or so, also while not leading. The follower that shall lead now, or nobody.
    [[nodiscard]] std::optional<std::string>
    decide(bool leads, bool is_full, const std::vector<follower>& followers, std::chrono::milliseconds now);

  private:
    using moment = std::optional<std::chrono::milliseconds>;

    void note_room(const std::vector<follower>& followers, std::chrono::milliseconds now);

    const full_disk_times times_;
    moment full_since_;
    moment attempt_since_;
    std::map<std::string, std::chrono::milliseconds> room_since_; // of those that have room
};

} // namespace holdfast::broker
