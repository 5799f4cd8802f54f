// Puts the rotten records of this replica's log right with what the others have: which place comes next, whom
// to ask, how long to wait, when to give up. What their answers are worth is storage/log_mender.hpp's
// business: nothing is believed, so it does not matter who leads, or what a peer thinks of us.
//
// The one who drives it hands in time and answers, sends the questions, and lets it read and write the log: a
// call may block on the disk. No thread, no clock.
#pragma once

#include "broker/log_bytes.hpp"
#include "consensus/progress.hpp"
#include "storage/log_mender.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::broker {

using consensus::steady_ms;

struct repair_settings {
    std::vector<std::string> peers;
    steady_ms answer_timeout{2'000};
    steady_ms round_pause{250}; // when nobody could help, and somebody may yet
    steady_ms patience{60'000}; // without anything put right
    std::uint64_t most_kept = storage::log_mender::most_kept_bytes;
};

struct repair_order {
    storage::rot_search where;
    log_position limit; // see log_mender
};

enum class repair_result : std::uint8_t {
    sound,       // nothing is rotten (any more) where it was looked
    unrepaired,  // it is, and nobody can help; `words` say why
    disk_failed, // a write or flush: nobody knows what the disk holds
};

struct repair_end {
    repair_result result = repair_result::sound;
    std::string words;
};

struct repair_effects {
    struct question {
        std::string to;
        log_bytes_request what;
    };
    struct mended {
        storage::log_mender::range where; // on the disk now
        std::string from;
    };
    std::optional<question> ask;
    std::vector<mended> done;
    std::optional<repair_end> end; // nothing follows
};

class log_repair {
  public:
    log_repair(storage::segment_set& segments, repair_settings settings)
        : segments_(segments), settings_(std::move(settings)) {}

    [[nodiscard]] bool is_active() const { return is_active_; }

    // Only when it is not active. Looks through the log for as long as that takes.
    repair_effects begin(const repair_order& order, steady_ms now);
    repair_effects answered(const std::string& from, const log_bytes_answer& answer, byte_view bytes,
                            steady_ms now);
    // The last question could not be sent: no link to that peer.
    repair_effects not_sent(steady_ms now);
    // Somebody may be there now.
    repair_effects peer_found(steady_ms now);
    repair_effects ticked(steady_ms now);

  private:
    struct failed_try {
        std::string words;
        bool is_final = false; // it answered
    };
    void look_on(log_position from, steady_ms now);
    void ask(steady_ms now);
    void ask_next(steady_ms now);
    void give_up_on(failed_try why, steady_ms now);
    void end_round(steady_ms now);
    void finish(repair_result how, std::string words);
    [[nodiscard]] std::string describe_tries() const;

    storage::segment_set& segments_;
    const repair_settings settings_;
    bool is_active_ = false;
    repair_order order_;
    std::optional<storage::rotten_place> place_;
    std::optional<storage::log_mender> mender_;
    std::map<std::string, failed_try> tries_; // of this round
    std::string asked_;                       // empty: between two rounds
    std::size_t next_peer_ = 0;
    std::uint64_t last_id_ = 0;
    steady_ms deadline_{0}; // of the answer, or of the pause
    steady_ms since_{0};    // something was put right
    repair_effects out_;
};

} // namespace holdfast::broker
