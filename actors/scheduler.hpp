// The scheduler actor: what happens by the clock. Watches the disk's free space (messages are refused before
// it is full, reads go on) and starts retention; and gives free memory back when the log rests.
#pragma once

#include "actors/committed_view.hpp"
#include "actors/messages.hpp"
#include "actors/node_health.hpp"
#include "actors/session_environment.hpp"
#include "config/node_config.hpp"
#include "storage/log_store.hpp"

#include <functional>

namespace holdfast::actors {

using scheduler_actor = caf::typed_actor<caf::reacts_to<tick_atom>>;

struct scheduler_environment {
    const config::node_config* config = nullptr;
    storage::file_system* files = nullptr;
    storage::path store;
    storage::log_store* log = nullptr;
    node_health* health = nullptr;
    const node_counters* counters = nullptr;
    std::function<timestamp_ms()> wall_clock;
    commit_log_actor commit_log;
};

// Why the disk takes no more messages now, in words; nothing when it does. It is fuller than an operator
// allows, or the log's next segment would not fit.
[[nodiscard]] std::optional<std::string> excess(const storage::disk_space& space,
                                                const config::node_config& config);
[[nodiscard]] std::optional<std::string> lack_of_room(const storage::disk_space& space,
                                                      const config::node_config& config,
                                                      std::uint64_t allocated_ahead);

// Up to where whole segments are older than the retention time; nothing when none is.
[[nodiscard]] std::optional<log_position> expired_until(const std::vector<storage::segment_info>& segments,
                                                        timestamp_ms now, std::chrono::hours retention);

// When memory that a burst has freed is given back to the system: once, when nothing was sent or read for a
// while, since it costs milliseconds; and seldom, since the next burst takes it again.
class give_back_rule {
  public:
    static constexpr unsigned restful_scans = 10;
    static constexpr unsigned scans_between = 60;

    // Called once a scan, a second.
    [[nodiscard]] bool is_time(log_position written, std::uint64_t messages_got);

  private:
    log_position written_;
    std::uint64_t messages_got_ = 0;
    bool was_busy_ = false;
    unsigned restful_ = 0;                // scans, one after the other
    unsigned since_last_ = scans_between; // time; scans
};

struct scheduler_state {
    scheduler_environment environment;
    std::int64_t last_retention_hour = -1;
    give_back_rule memory;
};

scheduler_actor::behavior_type scheduler(scheduler_actor::stateful_pointer<scheduler_state> self,
                                         scheduler_environment environment);

} // namespace holdfast::actors
