#include "actors/node.hpp"

#include "actors/admin.hpp"
#include "actors/checkpointer.hpp"
#include "actors/cluster_hello.hpp"
#include "actors/commit_log.hpp"
#include "actors/consumer_group.hpp"
#include "actors/delay_scheduler.hpp"
#include "actors/flusher.hpp"
#include "actors/key_indexer.hpp"
#include "actors/mender.hpp"
#include "actors/name_service.hpp"
#include "actors/node_group.hpp"
#include "actors/node_process.hpp"
#include "actors/placement.hpp"
#include "actors/reader.hpp"
#include "actors/replicator.hpp"
#include "actors/retry_service.hpp"
#include "actors/rotten_start.hpp"
#include "actors/scheduler.hpp"
#include "actors/session_router.hpp"
#include "actors/transaction_coordinator.hpp"
#include "network/io_runner.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;

constexpr auto drain_deadline = 10s;
constexpr auto offsets_deadline = 3s;
constexpr auto close_deadline = 2s;
// How often a node that waits for its group to have a leader looks.
constexpr timespec announce_interval{0, 50'000'000};

enum class haste : std::uint8_t {
    none,  // what was accepted is finished first
    great, // it can't be: this node no longer leads
};

class node {
  public:
    node(const config::node_config& config, booted_replica booted, broker::full_disk_rule& full_disk)
        : config_(config),
          booted_(std::move(booted)),
          full_disk_(full_disk),
          view_(booted_.state, *booted_.store),
          system_config_{} {
        configure(system_config_, config_);
        if (!config_.peers.empty()) {
            links_.emplace(links_of(config_, booted_.hard_state));
            links_->configure(system_config_);
        }
        system_ = std::make_unique<caf::actor_system>(system_config_);
    }

    result<void> start();
    // Alone: always. In a group: it leads, or follows somebody who does.
    [[nodiscard]] bool is_ready() const;
    void stop(haste how);

    // Another life of this node in this process shall follow.
    [[nodiscard]] bool goes_on() const { return goes_on_; }
    // With a log that begins there.
    [[nodiscard]] std::optional<log_position> begins_at() const { return begins_at_; }
    [[nodiscard]] std::uint16_t broker_port() const { return broker_port_; }
    [[nodiscard]] std::uint16_t namesrv_port() const { return namesrv_port_; }

  private:
    void spawn_log();
    void spawn_services();
    void start_over();
    result<void> open_ports();
    result<void> join_group();
    void connect_group(commit_log_environment& environment);
    void end_reads();
    void spawn_mender();
    [[nodiscard]] commit_log_helpers make_helpers(const commit_log_actor& log);

    const config::node_config& config_;
    booted_replica booted_;
    broker::full_disk_rule& full_disk_;
    node_clock clock_{booted_.start.applied.timestamp};
    committed_view view_;
    group_registry groups_;
    wake_registry waiters_;
    queue_owners owners_;
    producer_connections producers_;
    node_health health_;
    node_counters counters_;
    cluster_view cluster_;
    std::atomic<storage::key_index*> keys_{nullptr};
    start_signal started_;
    std::optional<log_position> begins_at_; // set before goes_on_
    std::atomic<bool> goes_on_{false};
    std::optional<placement> links_; // of a node that is not alone
    cluster_hello hello_;            // the commit log's, once it has started
    caf::actor_system_config system_config_;
    std::unique_ptr<caf::actor_system> system_;

    std::shared_ptr<session_environment> environment_ = std::make_shared<session_environment>();
    std::vector<caf::strong_actor_ptr> actors_; // in the order of their end; the log ends its helpers
    std::unique_ptr<session_router> router_;
    std::unique_ptr<network::io_runner> io_;
    std::uint16_t broker_port_ = 0;
    std::uint16_t namesrv_port_ = 0;
};

// On the commit log's thread: nothing of the node is changed here.
commit_log_helpers node::make_helpers(const commit_log_actor& log) {
    commit_log_helpers helpers;
    const auto flushing = system_->spawn<caf::detached>(
        flusher, log, booted_.log.get(),
        flusher_settings{config_.flush == config::flush_type::sync, config_.flush_interval});
    helpers.flusher = flushing;
    if (config_.flush == config::flush_type::sync)
        helpers.second_flusher =
            system_->spawn<caf::detached>(flusher, log, booted_.log.get(), flusher_settings{});
    helpers.checkpointer = system_->spawn<caf::detached>(
        checkpointer, log, checkpointer_environment{booted_.store.get(), booted_.log.get(), &view_, &keys_});
    helpers.indexer = system_->spawn<caf::detached>(
        key_indexer,
        key_indexer_environment{config_.store_path / "keys", storage::to_string(booted_.hard_state.id),
                                booted_.log.get(), &view_, &keys_});
    for (const auto& peer : config_.peers)
        helpers.replicators.emplace(
            peer.name,
            system_->spawn<caf::detached>(replicator, log, booted_.log.get(), [this](log_position position) {
                caf::anon_send(environment_->mender, rot_atom::value, position);
            }));
    return helpers;
}

void node::spawn_log() {
    auto replica = std::make_shared<broker::replica>(replica_settings_of(config_, booted_.hard_state),
                                                     std::move(booted_.start), std::move(booted_.state));

    commit_log_environment environment;
    environment.view = &view_;
    environment.cache = &booted_.log->cache();
    environment.waiters = &waiters_;
    environment.wall_clock = clock_;
    environment.persist_vote = [this](const consensus::hard_vote& vote) {
        booted_.hard_state.term = vote.term;
        booted_.hard_state.vote = vote.vote;
        return storage::save_hard_state(*booted_.files, hard_state_file(config_), booted_.hard_state);
    };
    environment.on_fenced = [this](const error& reason) {
        spdlog::critical("this node takes no more messages, restart it when its disk is sound: {}",
                         reason.message);
        health_.set(health::fenced, "the broker's log is fenced: " + reason.message);
        if (links_)
            end_reads();
        started_.set();
    };
    environment.on_leading = [this] {
        // The log's last leader may have had a clock that is ahead of this one; what is delayed now would be
        // due by that one.
        clock_.not_before(view_.log_time());
        // The scheduler may have found a full disk already.
        if (health_.now() == health::starting)
            health_.set(health::healthy, "");
        health_.set_leads(true);
        started_.set();
        caf::anon_send(environment_->admin, start_atom::value);
    };
    if (links_)
        connect_group(environment);
    environment_->log =
        system_->spawn(commit_log, std::move(replica), std::move(environment), log_settings_of(config_),
                       std::function{[this](commit_log_actor log) { return make_helpers(log); }});
}

void node::connect_group(commit_log_environment& environment) {
    environment.cluster = &cluster_;
    environment.send_to_peer = [this](const std::string& peer, peer_frame frame) {
        links_->send(peer, std::move(frame));
    };
    environment.on_log_bytes = [this](const std::string& peer, const peer_frame& frame) {
        caf::anon_send(environment_->mender, peer_atom::value, peer, frame);
    };
    environment.on_first_entry = [this] {
        hello_.has_empty_log = false;
        links_->set_hello(encode(hello_));
    };
    environment.is_full = [this] { return health_.now() == health::disk_full; };
    environment.room_until = [this] { return health_.room_until(); };
    environment.on_stalled = [this](bool is_stalled) { health_.set_stalled(is_stalled); };
    environment.on_full = [this](bool is_full) {
        hello_.is_full = is_full;
        links_->set_hello(encode(hello_));
    };
    environment.full_disk = &full_disk_;
    environment.on_deposed = [this] {
        health_.set_leads(false);
        if (health_.now() == health::fenced || health_.now() == health::stopping)
            return;
        spdlog::warn("this node no longer leads its group: its clients are closed, and it goes on as a "
                     "follower");
        start_over();
    };
    environment.on_ended = [this](std::optional<log_position> begin_at) {
        if (begin_at)
            spdlog::warn("the group's log begins at {} by now, behind the end of this node's: this node is "
                         "fed anew from there, and counts again when it has caught up",
                         begin_at->value());
        begins_at_ = begin_at;
        start_over();
    };
}

// Whoever reads here still is answered, but routes shall no longer send anybody.
void node::end_reads() {
    hello_.serves_reads = false;
    cluster_.found(config_.node_name, {hello_.address, false, hello_.is_full});
    links_->set_hello(encode(hello_));
}

void node::spawn_mender() {
    auto environment = mender_among_peers(config_, *links_);
    environment.segments = &booted_.log->segments();
    environment.reader = &booted_.log->reader();
    environment.settled_until = [this] {
        return std::min(view_.marks().committed, booted_.log->segments().flushed());
    };
    environment.on_end = [this](const broker::repair_end& end) {
        if (end.result == broker::repair_result::unrepaired)
            spdlog::error("the log is damaged and can't be put right for now: {}", end.words);
        if (end.result == broker::repair_result::disk_failed)
            caf::anon_send(environment_->log, flushed_atom::value,
                           flush_report{{}, {}, error{errc::io_failed, end.words}});
    };
    environment_->mender = system_->spawn<caf::detached>(mender, std::move(environment));
    actors_.push_back(caf::actor_cast<caf::strong_actor_ptr>(environment_->mender));
}

void node::start_over() {
    goes_on_ = true;
    ::kill(::getpid(), start_over_signal);
}

void node::spawn_services() {
    auto& environment = *environment_;
    const auto find_environment = [this]() -> std::shared_ptr<const session_environment> {
        return environment_;
    };
    environment.directory = system_->spawn(group_directory, std::function{find_environment});
    environment.name_service = system_->spawn(name_service, std::function{find_environment});
    environment.admin = system_->spawn(admin, std::function{find_environment});
    for (std::uint32_t i = 0; i < config_.reader_threads; ++i)
        environment.readers.push_back(
            system_->spawn<caf::detached>(reader, std::shared_ptr<const session_environment>{environment_}));
    const auto read_entry = [this](log_position position) { return read_half(*environment_, position); };
    environment.transactions = system_->spawn<caf::detached>(
        transaction_coordinator, std::shared_ptr<const session_environment>{environment_},
        transaction_coordinator_state::entry_reader{read_entry});
    environment.retries = system_->spawn<caf::detached>(
        retry_service, std::shared_ptr<const session_environment>{environment_});
    environment.delays = system_->spawn<caf::detached>(
        delay_scheduler, std::shared_ptr<const session_environment>{environment_});
    const auto housekeeping = system_->spawn(
        scheduler, scheduler_environment{&config_, booted_.files, storage::path{config_.store_path.native()},
                                         booted_.log.get(), &health_, &counters_, clock_, environment.log});
    actors_.push_back(caf::actor_cast<caf::strong_actor_ptr>(housekeeping));
    for (const auto& actor : {caf::actor_cast<caf::strong_actor_ptr>(environment.directory),
                              caf::actor_cast<caf::strong_actor_ptr>(environment.name_service),
                              caf::actor_cast<caf::strong_actor_ptr>(environment.admin),
                              caf::actor_cast<caf::strong_actor_ptr>(environment.transactions),
                              caf::actor_cast<caf::strong_actor_ptr>(environment.retries),
                              caf::actor_cast<caf::strong_actor_ptr>(environment.delays)})
        actors_.push_back(actor);
    for (const auto& reading : environment.readers)
        actors_.push_back(caf::actor_cast<caf::strong_actor_ptr>(reading));
}

result<void> node::open_ports() {
    io_ = std::make_unique<network::io_runner>(network::limits_of(config_));
    router_ = std::make_unique<session_router>(*system_, environment_);
    auto broker_port = io_->listen(config_.bind_address, config_.listen_port, *router_);
    if (!broker_port.ok())
        return broker_port.failure();
    auto namesrv_port = io_->listen(config_.bind_address, config_.namesrv_port, *router_);
    if (!namesrv_port.ok())
        return namesrv_port.failure();
    broker_port_ = *broker_port;
    namesrv_port_ = *namesrv_port;
    return {};
}

result<void> node::join_group() {
    hello_ = {environment_->broker_address, config_.segment_bytes,
              booted_.log->recovered().end == log_position{0}, config_.follower_reads};
    links_->set_hello(encode(hello_));
    const auto port = links_->start(*system_, environment_->log);
    if (!port.ok())
        return port.failure();
    spdlog::info("the other nodes of the group reach this one at {}:{}", config_.cluster_bind_address, *port);
    return {};
}

bool node::is_ready() const {
    if (!links_)
        return true;
    const auto leader = cluster_.leader();
    return !leader.empty() && (leader != config_.node_name || health_.leads());
}

result<void> node::start() {
    if (auto opened = open_ports(); !opened.ok())
        return opened.failure();

    auto& environment = *environment_;
    environment.config = &config_;
    environment.broker_address = config_.advertised_address + ":" + std::to_string(broker_port_);
    const auto host = protocol::ipv4_host::parse(environment.broker_address);
    if (!host.ok())
        return host.failure();
    environment.intake = intake_of(config_, *host);
    environment.view = &view_;
    environment.cache = &booted_.log->cache();
    environment.reader = &booted_.log->reader();
    environment.keys = &keys_;
    environment.groups = &groups_;
    environment.waiters = &waiters_;
    environment.owners = &owners_;
    environment.producers = &producers_;
    environment.health = &health_;
    environment.counters = &counters_;
    environment.wall_clock = clock_;

    if (links_) {
        environment.cluster = &cluster_;
        cluster_.found(config_.node_name, {environment.broker_address, config_.follower_reads});
        health_.set(health::healthy, "");
    }

    if (links_)
        spawn_mender();
    spawn_log();
    spawn_services();
    if (links_)
        if (auto joined = join_group(); !joined.ok())
            return joined.failure();
    caf::anon_send(environment.log, start_atom::value);
    if (!links_) // nobody else could answer either
        started_.wait();
    io_->start();
    booted_.log->start_prewriting();
    return {};
}

void node::stop(haste how) {
    if (how == haste::none)
        spdlog::info("stopping: finishing what was accepted");
    if (io_)
        io_->stop_accepting();
    health_.set(health::stopping, "the broker is shutting down");
    if (how == haste::none && environment_->log) {
        caf::scoped_actor self{*system_};
        // Offsets that were committed oneway and wait for their interval to be over.
        if (environment_->directory)
            self->request(environment_->directory, offsets_deadline, stop_atom::value)
                .receive([](drained_atom) {},
                         [](const caf::error&) { spdlog::warn("not every offset could be stored in time"); });
        self->request(environment_->log, drain_deadline, stop_atom::value)
            .receive([](drained_atom) { spdlog::info("everything accepted is flushed and answered"); },
                     [](const caf::error&) { spdlog::warn("not everything could be flushed in time"); });
    }
    if (links_)
        links_->stop();
    if (io_)
        io_->flush_and_close_all(how == haste::none ? std::chrono::milliseconds{close_deadline} : 100ms);
    io_.reset();
    for (const auto& actor : actors_)
        caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    if (environment_->log)
        caf::anon_send_exit(environment_->log, caf::exit_reason::user_shutdown);
    actors_.clear();
    // Sessions and readers use the environment to the end of their last turn.
    system_->await_all_actors_done();
    *environment_ = session_environment{};
    system_.reset();
    spdlog::info("stopped");
}

// Until a signal ends this node's life. The signal.
int serve(const node& running, const config::node_config& config, const sigset_t& signals,
          bool& is_announced) {
    while (!is_announced) {
        if (const int received = sigtimedwait(&signals, nullptr, &announce_interval); received > 0)
            return received;
        if (running.is_ready()) {
            announce(config, running.broker_port(), running.namesrv_port());
            is_announced = true;
        }
    }
    int received = 0;
    sigwait(&signals, &received);
    return received;
}

} // namespace

int run_node(const config::node_config& config) {
    tune_allocator();
    const auto signals = block_signals();
    auto settings = config;
    std::optional<log_position> begins_at;
    broker::full_disk_rule full_disk; // a node that led is another one when it follows
    bool is_announced = false;
    for (;;) {
        if (begins_at)
            if (auto begun = begin_anew(settings, *begins_at); !begun.ok()) {
                spdlog::critical("can't begin anew: {}", begun.failure().message);
                return 1;
            }
        auto booted = boot_or_repair(settings, signals);
        if (booted.ok() && !*booted)
            return 0;
        if (booted.ok())
            if (auto fits = check_group(settings, **booted); !fits.ok())
                booted = fits.failure();
        if (!booted.ok()) {
            spdlog::critical("can't start: {}", booted.failure().message);
            return 1;
        }
        node running{settings, std::move(**booted), full_disk};
        if (const auto started = running.start(); !started.ok()) {
            spdlog::critical("can't start: {}", started.failure().message);
            running.stop(haste::great);
            return 1;
        }
        const int received = serve(running, settings, signals, is_announced);
        const bool goes_on = received == start_over_signal && running.goes_on();
        begins_at = running.begins_at();
        running.stop(goes_on ? haste::great : haste::none);
        if (!goes_on)
            return 0;
        settings.listen_port = running.broker_port();
        settings.namesrv_port = running.namesrv_port();
    }
}

} // namespace holdfast::actors
