// When the producer of an undecided half is asked what became of its transaction (protocol reference 6.11).
//
// It knows of halves that have been undecided for a while, and holds 16 bytes of each: that is all it can
// afford of a million. What a half is, and whether it is still undecided, the log's state says when its time
// has come:
//
//     add            a half that is old enough to be told of
//     take_due       some whose time has come: the owner looks them up. What was decided meanwhile is
//                    forgotten by this; of each that was not
//     judge          says whether it is asked about or given up, and the owner then says how it went:
//       rest           it was asked about, or given up, or could not be: the next time is an interval away
//       await          nobody of its producer group is there, or reads: it waits for one, uncounted
//     joined         somebody of the group is there again
//
// Nobody waits behind others for long: those that a returning producer made due take turns with those whose
// time came by itself, group by group. Halves that wait for a producer are looked at again in a slow round,
// which forgets what was decided without one.
//
// Plain and deterministic. Times are of one clock that never runs backwards.
#pragma once

#include "base/ids.hpp"
#include "broker/transaction_table.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::broker {

struct check_rules {
    std::chrono::milliseconds timeout{6'000};   // transactionTimeOut: the age at the first check
    std::chrono::milliseconds interval{30'000}; // transactionCheckInterval: from one check to the next
    std::uint32_t most_checks = 15;             // transactionCheckMax
};

// The age at which a half is asked about first.
[[nodiscard]] inline std::chrono::milliseconds first_check_age(const half_message& half,
                                                               std::chrono::milliseconds timeout) {
    return half.immunity_ms >= 0 ? std::chrono::milliseconds{half.immunity_ms} : timeout;
}

class check_schedule {
  public:
    enum class task : std::uint8_t { ask, give_up };

    explicit check_schedule(check_rules rules) : rules_(rules) {}

    // When it is asked about next, or given up.
    [[nodiscard]] timestamp_ms due(const half_message& half) const;

    // Each half once.
    void add(const half_message& half);
    // At most `most`, in the order of their time among those that did not wait for a producer.
    [[nodiscard]] std::vector<log_position> take_due(timestamp_ms now, std::size_t most);
    // More would be taken now.
    [[nodiscard]] bool has_due(timestamp_ms now) const;

    [[nodiscard]] task judge(const half_message& half) const;
    void rest(log_position half, timestamp_ms now);
    void await(const half_message& half, timestamp_ms now);
    void joined(std::string_view group);

    [[nodiscard]] std::size_t timed() const { return timed_.size(); }
    [[nodiscard]] std::size_t awaiting() const { return awaiting_; }

  private:
    struct timed_half {
        timestamp_ms due;
        log_position half;
        friend auto operator<=>(const timed_half&, const timed_half&) = default;
    };
    struct waiting_group {
        std::deque<log_position> halves;
        std::size_t to_visit = 0; // of the round that is under way
        timestamp_ms next_round;
        bool joined = false;
    };
    using waiting_groups = std::map<std::string, waiting_group, std::less<>>;

    void add_timed(timestamp_ms due, log_position half);
    void take_joined(std::size_t most, std::vector<log_position>& taken);
    void take_timed(timestamp_ms now, std::size_t most, std::vector<log_position>& taken);
    void look_round(timestamp_ms now, std::size_t most, std::vector<log_position>& taken);
    // At most `most` of the group's round; erases it when it has none left.
    void visit(waiting_groups::iterator group, std::size_t most, std::vector<log_position>& taken);

    const check_rules rules_;
    std::vector<timed_half> timed_; // a heap, the earliest first
    waiting_groups waiting_;
    std::deque<std::string> joined_; // groups in waiting_ whose halves are due
    std::string round_at_;           // the group that the slow round visited last
    std::size_t awaiting_ = 0;
};

} // namespace holdfast::broker
