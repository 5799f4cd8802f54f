#include "tests/actors/fixture.hpp"

namespace holdfast::actors::testing {

// --- frames
// -----------------------------------------------------------------------------------------------------------

std::vector<protocol::stored_message_view> sent_frame::messages() const {
    std::vector<protocol::stored_message_view> found;
    protocol::stored_message_reader reader{as_bytes(body)};
    while (auto next = reader.next()) {
        EXPECT_TRUE(next->ok());
        if (next->ok())
            found.push_back(**next);
    }
    return found;
}

std::vector<sent_frame> fake_connection::sent() {
    std::vector<sent_frame> frames;
    auto rest = as_bytes(bytes_);
    protocol::remoting_command command;
    while (!rest.empty()) {
        const auto frame = protocol::next_frame(rest);
        const bool good = frame.ok() && frame->has_value() && command.decode(**frame).ok();
        EXPECT_TRUE(good) << "what was sent is not frames";
        if (!good)
            break;
        sent_frame one;
        one.code = command.code();
        one.opaque = command.opaque();
        one.is_request = !command.is_response();
        one.oneway = command.is_oneway();
        one.remark = command.remark();
        for (const auto& field : command.fields())
            one.fields[std::string{field.name}] = field.value;
        one.body = as_text(command.body());
        frames.push_back(std::move(one));
        rest = rest.subspan((*frame)->size);
    }
    bytes_.clear();
    return frames;
}

sent_frame fake_connection::only() {
    auto frames = sent();
    EXPECT_EQ(frames.size(), 1U) << "frames were sent";
    if (!frames.empty())
        return std::move(frames.front());
    sent_frame none;
    none.code = -1;
    return none;
}

incoming& incoming::send(std::int32_t opaque, protocol::send_message_request request, bool oneway) {
    byte_buffer frame;
    protocol::call how;
    how.opaque = opaque;
    how.oneway = oneway;
    protocol::append_send_message(frame, how, request);
    return raw(as_text(frame.view()));
}

incoming& incoming::send(std::int32_t opaque, std::string_view topic, std::string_view body,
                         std::int32_t queue, std::string_view properties) {
    auto request = send_of(topic, body, queue);
    request.properties = properties;
    return send(opaque, request);
}

incoming& incoming::raw(std::string_view frame) {
    ranges_.push_back({static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(frame.size())});
    bytes_.append(frame);
    return *this;
}

session_frames_ptr incoming::take() {
    session_frames frames;
    for (std::uint32_t index = 0; index < ranges_.size(); ++index)
        frames.chosen.push_back(index);
    frames.frames = network::frame_batch{shared_bytes::copy_of(as_bytes(bytes_)), std::move(ranges_)};
    return std::make_shared<const session_frames>(std::move(frames));
}

protocol::send_message_request send_of(std::string_view topic, std::string_view body, std::int32_t queue) {
    protocol::send_message_request request;
    request.producer_group = "producers";
    request.topic = topic;
    request.default_topic = protocol::auto_create_topic;
    request.queue_id = queue;
    request.born = timestamp_ms{1};
    request.body = as_bytes(body);
    return request;
}

protocol::pull_message_request pull_of(std::string_view topic, std::int64_t offset,
                                       std::string_view expression) {
    protocol::pull_message_request request;
    request.consumer_group = "workers";
    request.topic = topic;
    request.offset = queue_offset{offset};
    request.sys_flag = protocol::pull_flag::subscription;
    request.subscription = expression;
    return request;
}

std::vector<batch_outcome> heard_outcomes::all() const {
    std::vector<batch_outcome> outcomes;
    for (const auto& message : messages)
        outcomes.insert(outcomes.end(), message->begin(), message->end());
    return outcomes;
}

// --- the world
// --------------------------------------------------------------------------------------------------------

actor_fixture::actor_fixture() {
    spdlog::set_level(spdlog::level::off);
    system_config_.set("scheduler.policy", caf::atom("testing"));
    system_ = std::make_unique<caf::actor_system>(system_config_);
    scheduler_ = dynamic_cast<caf::scheduler::test_coordinator*>(&system_->scheduler());
    auto opened = storage::derived_store::open(directory_.path() / "derived", "a-log");
    HOLDFAST_CHECK(opened.ok());
    store_ = std::move(*opened);
    view.emplace(broker::state{}, *store_);
    config.node_name = "a";
    config.advertised_address = "127.0.0.1";
}

// Actors hold each other's handles, so they are ended one by one before their system.
actor_fixture::~actor_fixture() {
    for (const auto& actor : tracked_)
        caf::anon_send_exit(actor, caf::exit_reason::kill);
    settle();
    tracked_.clear();
    flusher = flusher_actor{};
    *environment = session_environment{};
    settle();
    system_.reset();
}

void actor_fixture::settle() {
    while (scheduler_->try_run_once()) {
    }
}

void actor_fixture::advance(std::chrono::milliseconds by) {
    constexpr std::chrono::milliseconds step{50};
    for (auto left = by; left.count() > 0; left -= step) {
        const auto now_by = std::min(left, step);
        now += now_by.count();
        scheduler_->advance_time(now_by);
        settle();
    }
}

bool actor_fixture::flush() {
    if (disk->flushes.empty())
        return false;
    const auto request = disk->flushes.front();
    disk->flushes.pop_front();
    disk->written.insert(disk->written.end(), request->entries.begin(), request->entries.end());
    caf::anon_send(environment->log, flushed_atom::value,
                   flush_report{request->until, request->until, std::nullopt});
    settle();
    return true;
}

void actor_fixture::flush_all() {
    settle();
    while (flush()) {
    }
}

void actor_fixture::fail_flush() {
    disk->flushes.clear();
    caf::anon_send(environment->log, flushed_atom::value,
                   flush_report{{}, {}, error{errc::io_failed, "the disk says no"}});
    settle();
}

void actor_fixture::spawn_log() {
    broker::replica_log log;
    log.applied.geometry = {log_position{0}, 64U << 20U, 64U << 20U};
    broker::replica_settings settings;
    settings.raft.self = {"a", "first"};
    settings.raft.peers = peers;
    settings.max_entry_size = max_entry_bytes;
    auto replica = std::make_shared<broker::replica>(std::move(settings), std::move(log), broker::state{});
    commit_log_environment surroundings;
    surroundings.view = &*view;
    surroundings.cache = &cache;
    surroundings.waiters = &waiters;
    surroundings.wall_clock = [this] { return now; };
    surroundings.persist_vote = [this](const consensus::hard_vote& vote) { return persist_vote(vote); };
    surroundings.send_to_peer = send_to_peer;
    surroundings.on_fenced = [this](const error& reason) {
        fenced.push_back(reason.message);
        health_of_node.set(health::fenced, "fenced: " + reason.message);
    };
    surroundings.on_leading = [this] {
        ++leading;
        health_of_node.set(health::healthy, "");
        health_of_node.set_leads(true);
    };
    const auto make_helpers = [this](const commit_log_actor&) {
        commit_log_helpers helpers;
        helpers.flusher = system_->spawn([disk = disk]() -> flusher_actor::behavior_type {
            return {
                [disk](flush_atom, const flush_request_ptr& request) { disk->flushes.push_back(request); },
                [](cut_atom, log_position) {}};
        });
        helpers.checkpointer = system_->spawn([disk = disk]() -> checkpointer_actor::behavior_type {
            return {[disk](save_atom, const checkpoint_job_ptr& job) { disk->checkpoints.push_back(job); },
                    [](plan_atom, log_position, log_position) {},
                    [disk](trim_atom, log_position first) { disk->trims.push_back(first); }};
        });
        helpers.indexer = system_->spawn([disk = disk]() -> key_indexer_actor::behavior_type {
            return {[disk](index_atom, log_position until) { disk->indexed.push_back(until); }};
        });
        flusher = helpers.flusher;
        track(helpers.flusher);
        track(helpers.checkpointer);
        track(helpers.indexer);
        return helpers;
    };
    environment->log = system_->spawn(commit_log, std::move(replica), std::move(surroundings), log_settings,
                                      std::function<commit_log_helpers(commit_log_actor)>{make_helpers});
    track(environment->log);
}

void actor_fixture::spawn_services() {
    const auto find_environment = [this]() -> std::shared_ptr<const session_environment> {
        return environment;
    };
    using finder = std::function<std::shared_ptr<const session_environment>()>;
    environment->directory = system_->spawn(group_directory, finder{find_environment});
    environment->name_service = system_->spawn(name_service, finder{find_environment});
    environment->admin = system_->spawn(admin, finder{find_environment});
    environment->readers.push_back(system_->spawn([this]() -> reader_actor::behavior_type {
        return {[this](read_atom, const read_job_ptr& job) { reads.push_back(job); }, [](tick_atom) {},
                [this](query_atom, queue_key, timestamp_ms time) { return offset_at(time); }};
    }));
    environment->transactions =
        system_->spawn(transaction_coordinator, std::shared_ptr<const session_environment>{environment},
                       transaction_coordinator_state::entry_reader{
                           [this](log_position position) { return read_half(position); }});
    track(environment->transactions);
    track(environment->directory);
    track(environment->name_service);
    track(environment->admin);
    track(environment->readers.front());
}

void actor_fixture::lead() {
    environment->config = &config;
    environment->broker_address = "127.0.0.1:10911";
    environment->intake = {config.cluster_name,
                           config.max_message_bytes,
                           max_entry_bytes,
                           {0x7F000001, 10911},
                           {config.delay_levels, std::chrono::hours{24}},
                           false};
    environment->view = &*view;
    environment->cache = &cache;
    environment->keys = &keys;
    environment->groups = &groups;
    environment->waiters = &waiters;
    environment->owners = &owners;
    environment->producers = &producers;
    environment->health = &health_of_node;
    environment->counters = &counters;
    environment->wall_clock = [this] { return now; };
    spawn_log();
    spawn_services();
    caf::anon_send(environment->log, start_atom::value);
    flush_all();
}

result<storage::cached_entry> actor_fixture::read_half(log_position position) {
    auto entry = cache.find_containing(position);
    if (!entry || unreadable.contains(position))
        return error{errc::corrupted, "unreadable, as the test wants it"};
    return std::move(*entry);
}

appender_actor actor_fixture::listener(const std::shared_ptr<heard_outcomes>& heard) {
    const appender_actor made = system_->spawn([heard]() -> appender_actor::behavior_type {
        return {[heard](outcome_atom, const batch_outcomes_ptr& outcomes) {
            heard->messages.push_back(outcomes);
        }};
    });
    track(made);
    return made;
}

void actor_fixture::append(const appender_actor& appender, std::uint64_t ticket, broker::entry_draft draft) {
    auto request = std::make_shared<append_request>();
    request->draft = std::move(draft);
    request->ticket = ticket;
    request->appender = appender;
    caf::anon_send(environment->log, append_atom::value, std::move(request));
    settle();
}

void actor_fixture::commit(broker::entry_draft draft) {
    const auto heard = std::make_shared<heard_outcomes>();
    append(listener(heard), ++ticket_, std::move(draft));
    flush_all();
    ASSERT_EQ(heard->all().size(), 1U);
    ASSERT_FALSE(heard->all()[0].failure);
}

void actor_fixture::make_topic(const std::string& name, std::uint32_t queues) {
    broker::topic_config topic;
    topic.name = name;
    topic.read_queues = topic.write_queues = queues;
    broker::entry_draft draft;
    draft.add(broker::command_kind::topic_put, broker::encode(topic));
    commit(std::move(draft));
}

void actor_fixture::delete_topic(const std::string& name) {
    broker::entry_draft draft;
    draft.add(broker::command_kind::topic_delete, name);
    commit(std::move(draft));
}

void actor_fixture::make_group(const std::string& name) {
    broker::group_config group;
    group.name = name;
    broker::entry_draft draft;
    draft.add(broker::command_kind::group_put, broker::encode(group));
    commit(std::move(draft));
}

std::vector<std::string> actor_fixture::logged(broker::command_kind kind) const {
    std::vector<std::string> found;
    for (const auto& entry : disk->written) {
        broker::command_cursor cursor{entry.view(), storage::entry_header_size};
        while (!cursor.done()) {
            const auto command = cursor.next();
            HOLDFAST_CHECK(command.ok());
            if (command->header.kind == kind)
                found.emplace_back(as_text(command->payload));
        }
    }
    return found;
}

queue_key actor_fixture::queue_of(const std::string& topic, std::uint32_t queue) const {
    const auto found = view->find_topic(topic);
    EXPECT_TRUE(found);
    return {found ? found->id : topic_id{0}, queue_number{queue}};
}

producer_session_actor actor_fixture::producer(const fake_connection_ptr& connection) {
    const producer_session_actor made =
        system_->spawn(producer_session, connection_ptr{connection},
                       std::shared_ptr<const session_environment>{environment});
    track(made);
    return made;
}

consumer_session_actor actor_fixture::consumer(const fake_connection_ptr& connection) {
    const consumer_session_actor made =
        system_->spawn(consumer_session, connection_ptr{connection},
                       std::shared_ptr<const session_environment>{environment});
    track(made);
    return made;
}

void actor_fixture::ask_admin(const fake_connection_ptr& connection, incoming frames) {
    caf::anon_send(environment->admin, frames_atom::value,
                   std::make_shared<const admin_job>(admin_job{connection, frames.take()}));
    settle();
}

void actor_fixture::ask_name_service(const fake_connection_ptr& connection, incoming frames) {
    caf::anon_send(environment->name_service, frames_atom::value,
                   std::make_shared<const admin_job>(admin_job{connection, frames.take()}));
    settle();
}

} // namespace holdfast::actors::testing
