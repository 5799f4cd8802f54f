#include "actors/rotten_start.hpp"

#include "actors/cluster_hello.hpp"
#include "actors/mender.hpp"
#include "actors/node_group.hpp"
#include "actors/node_process.hpp"
#include "actors/placement.hpp"

#include <ctime>
#include <future>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

constexpr timespec look_interval{0, 20'000'000};
constexpr std::size_t cache_bytes = 16U << 20U;

// A node that does nothing but mend. Everything in it ends before the replica boots again.
class mending_node {
  public:
    mending_node(const config::node_config& config, booted_replica& opened, storage::segment_set& segments,
                 log_position durable_until)
        : config_(config), segments_(segments), links_(links_of(config, opened.hard_state)) {
        const auto end = segments.allocated_until();
        order_ = {{segments.first(), end, durable_until}, end};
        segments.set_written(end);
        configure(system_config_, config);
        links_.configure(system_config_);
        links_.set_hello(
            encode(cluster_hello{config.advertised_address + ":" + std::to_string(config.listen_port),
                                 config.segment_bytes, false}));
        system_ = std::make_unique<caf::actor_system>(system_config_);
    }

    // Nothing: a signal came.
    result<std::optional<broker::repair_end>> run(const sigset_t& signals) {
        std::promise<broker::repair_end> ended;
        auto end = ended.get_future();
        auto environment = mender_among_peers(config_, links_);
        environment.segments = &segments_;
        environment.reader = &reader_;
        environment.on_end = [&](const broker::repair_end& how) { ended.set_value(how); };
        environment.order = order_;
        mender_actor mending = system_->spawn<caf::detached>(mender, std::move(environment));
        const auto port = links_.start(*system_, mending);
        std::optional<broker::repair_end> outcome;
        if (port.ok()) {
            caf::anon_send(mending, start_atom::value);
            outcome = wait(end, signals);
        }
        links_.stop();
        caf::anon_send_exit(mending, caf::exit_reason::user_shutdown);
        mending = nullptr;
        system_->await_all_actors_done();
        if (!port.ok())
            return port.failure();
        return outcome;
    }

  private:
    static std::optional<broker::repair_end> wait(std::future<broker::repair_end>& end,
                                                  const sigset_t& signals) {
        while (end.wait_for(std::chrono::seconds{0}) != std::future_status::ready)
            if (sigtimedwait(&signals, nullptr, &look_interval) > 0)
                return std::nullopt;
        return end.get();
    }

    const config::node_config& config_;
    storage::segment_set& segments_;
    storage::entry_cache cache_{cache_bytes};
    storage::log_reader reader_{segments_, cache_};
    broker::repair_order order_;
    placement links_;
    caf::actor_system_config system_config_;
    std::unique_ptr<caf::actor_system> system_;
};

// The words it ended with; none: a signal came. `refusal` is the start's.
result<std::optional<broker::repair_end>> repair(const config::node_config& config, const error& refusal,
                                                 const sigset_t& signals) {
    auto opened = open_directory(config);
    if (!opened.ok())
        return opened.failure();
    const auto recovery = recovery_options_of(config, *opened);
    if (!recovery.ok())
        return recovery.failure();
    auto segments = storage::segment_set::open(
        *opened->files, storage::path{config.store_path.native()} / "commitlog", recovery->segments);
    if (!segments.ok())
        return refusal; // a file is missing: that is not rot
    spdlog::warn("{}", refusal.message);
    spdlog::warn("the other nodes are asked for what stood there; this node takes no part until then");
    mending_node node{config, *opened, **segments, std::max(recovery->durable_until, recovery->scan_from)};
    return node.run(signals);
}

} // namespace

result<std::optional<booted_replica>> boot_or_repair(const config::node_config& config,
                                                     const sigset_t& signals) {
    auto booted = boot(config);
    if (!booted.ok() && booted.failure().code == errc::corrupted && !config.peers.empty() &&
        !config.accept_data_loss) {
        const auto end = repair(config, booted.failure(), signals);
        if (!end.ok())
            return end.failure();
        if (!*end)
            return std::optional<booted_replica>{};
        if ((*end)->result == broker::repair_result::disk_failed)
            return error{errc::io_failed, "the log is damaged and could not be put right: " + (*end)->words};
        if ((*end)->result == broker::repair_result::unrepaired)
            return error{errc::corrupted,
                         booted.failure().message +
                             ". Or start this node with an empty storePathRootDir: the others "
                             "feed it, and nothing is lost. What was tried: " +
                             (*end)->words};
        booted = boot(config);
    }
    if (!booted.ok())
        return booted.failure();
    return std::optional{std::move(*booted)};
}

} // namespace holdfast::actors
