#include "client/transaction_engine.hpp"

#include "client/decision_wire.hpp"
#include "client/retry_policy.hpp"
#include "protocol/message_id.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>
#include <future>

namespace holdfast::client {

namespace {

// Checks come over connections that stand: one that was lost is made again this soon.
constexpr std::chrono::milliseconds reconnect_interval{1'000};
// How long a producer that shuts down looks for the leader of a decision that nobody waits for.
constexpr std::chrono::milliseconds farewell_patience{1'000};

} // namespace

transaction_producer::engine::engine(transaction_producer_options options, checker check)
    : options_(std::move(options)),
      check_(std::move(check)),
      sending_(std::make_shared<producer::engine>(options_.sending)),
      checks_(options_.max_waiting_checks,
              [this](const transaction_check& question) { answer_check(question); }) {}

result<void> transaction_producer::engine::start() {
    if (options_.checker_threads == 0 || options_.max_waiting_checks == 0 ||
        options_.first_check_after < std::chrono::seconds{0})
        return error{
            errc::invalid_argument,
            "checker_threads and max_waiting_checks must be at least 1, first_check_after at least 0"};
    if (!check_)
        return error{errc::invalid_argument, "a transaction producer needs a checker"};
    client().on_broker_request(
        [this](connection& from, const answer& request) { return broker_asks(from, request); });
    client().on_route_changed([this](const std::string&) { connect_all(); });
    client().on_broker_lost([this](connection& lost) {
        std::erase_if(masters_, [&](const auto& master) { return master.get() == &lost; });
        if (!std::exchange(looking_for_leaders_, true))
            look_for_leaders(0);
    });
    if (auto started = sending_->start(); !started)
        return started;
    checks_.start(options_.checker_threads);
    client().post([this] { find_brokers(); });
    client().every(client().options().route_interval, [this] { find_brokers(); });
    client().every(reconnect_interval, [this] { keep_connected(); });
    return {};
}

void transaction_producer::engine::shutdown() {
    // Behind the callbacks of the last half messages, which may decide at once.
    if (sending_->drain()) {
        std::promise<void> passed;
        client().post([&] {
            farewell_ = in_flight::clock::now() + farewell_patience;
            passed.set_value();
        });
        passed.get_future().wait();
    }
    checks_.stop();
    {
        // Each of them ends, by an answer or by its timeout.
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return unconfirmed_ == 0; });
        ended_ = true;
    }
    sending_->shutdown();
}

void transaction_producer::engine::send_half(message outgoing, half_callback done) {
    if (outgoing.is_delayed())
        return done(send_error{send_error_kind::invalid, 0,
                               "a transactional message can't be delayed: its commit makes it visible"});
    if (options_.first_check_after.count() != 0)
        outgoing.properties.emplace_back(protocol::property::check_immunity_time_s,
                                         std::to_string(options_.first_check_after.count()));
    std::string topic = outgoing.topic;
    sending_->send(
        std::move(outgoing), nullptr,
        [self = shared_from_this(), topic = std::move(topic), done = std::move(done)](
            const send_result& sent) mutable { self->half_answered(std::move(topic), sent, done); },
        send_as::half);
}

void transaction_producer::engine::half_answered(std::string topic, const send_result& sent,
                                                 const half_callback& done) {
    if (!sent)
        return done(sent.failure());
    const auto id = protocol::parse_message_id(sent.receipt().offset_message_id);
    if (!id)
        return done(send_error{send_error_kind::stored_but_not_confirmed, 0,
                               "the broker's message id does not say where the half message is, so it can't "
                               "be decided: " +
                                   id.failure().message});
    done(half_message{{std::move(topic), sent.receipt(), id->position}, weak_from_this()});
}

bool transaction_producer::engine::broker_asks(connection& from, const answer& request) {
    if (request.command().request() != protocol::request_code::check_transaction_state)
        return false;
    if (auto taken = take_check(from, request); !taken)
        trouble({taken.failure().code, "a transaction check of " + from.peer().text() +
                                           " can't be answered: " + taken.failure().message});
    return true;
}

result<void> transaction_producer::engine::take_check(connection& from, const answer& request) {
    const auto header = protocol::decode_header<protocol::check_transaction_state_request>(request.command());
    if (!header)
        return header.failure();
    const auto record = protocol::decode_stored_message(request.command().body());
    if (!record)
        return record.failure();
    const std::string_view group = record->property(protocol::property::producer_group).value_or("");
    if (group != options_.sending.group)
        return error{errc::invalid_argument, "it is about group " + std::string{group}};
    std::string_view id = !header->transaction_id.empty() ? header->transaction_id : header->message_id;
    if (id.empty())
        id = record->property(protocol::property::unique_key).value_or("");
    const bool has_room = checks_.add({.from = from.shared_from_this(),
                                       .number = header->state_table_offset,
                                       .position = header->commit_log_offset,
                                       .transaction_id = std::string{id},
                                       .topic = std::string{record->topic},
                                       .record = request.share_body()});
    if (!has_room)
        return error{errc::unavailable,
                     std::to_string(options_.max_waiting_checks) +
                         " wait already (max_waiting_checks); it is left to the next check"};
    return {};
}

void transaction_producer::engine::answer_check(const transaction_check& check) {
    auto decision = transaction_decision::unknown;
    try {
        decision = check_(message_view{check.record.view()});
    } catch (const std::exception& thrown) {
        trouble(
            {errc::internal, "the checker threw, which counts as unknown: " + std::string{thrown.what()}});
    } catch (...) {
        trouble({errc::internal, "the checker threw, which counts as unknown"});
    }
    const auto sent = send_decision(*check.from, {.producer_group = options_.sending.group,
                                                  .state_table_offset = check.number,
                                                  .commit_log_offset = check.position,
                                                  .verdict = to_wire(decision),
                                                  .from_check = true,
                                                  .message_id = check.transaction_id,
                                                  .transaction_id = check.transaction_id,
                                                  .topic = check.topic,
                                                  .broker_name = {}});
    if (!sent)
        trouble(sent.failure());
}

void transaction_producer::engine::find_brokers() {
    const auto question = [this](connection& server, call_handler handler) {
        ask(server, protocol::get_cluster_info_request{}, {}, client().options().request_timeout,
            std::move(handler));
    };
    client().ask_name_server(question, [this](const call_outcome& outcome) {
        if (!outcome.ok())
            return;
        const auto info = protocol::decode_cluster_info(outcome.reply->command().body());
        if (!info)
            return trouble(info.failure());
        std::vector<std::shared_ptr<connection>> masters;
        bool all_lead = !info->brokers.empty();
        for (const auto& [name, data] : info->brokers) {
            const auto master = data.addresses.find(0);
            if (master == data.addresses.end()) {
                all_lead = false; // for a moment: whoever wins must hear of us
                continue;
            }
            if (auto broker = client().broker(master->second))
                masters.push_back(std::move(broker));
        }
        brokers_known_ = all_lead;
        register_with_new(masters);
        masters_ = masters;
        client().keep(std::move(masters));
        connect_all();
    });
}

// A node that just won the lead may have heard of us while it followed, which it forgets.
void transaction_producer::engine::register_with_new(
    const std::vector<std::shared_ptr<connection>>& masters) {
    for (const auto& master : masters)
        if (master->is_open() && std::find(masters_.begin(), masters_.end(), master) == masters_.end())
            client().register_with(*master);
}

bool transaction_producer::engine::all_connected() const {
    const auto all = client().brokers();
    return brokers_known_ && !all.empty() &&
           std::all_of(all.begin(), all.end(), [](const auto& broker) { return broker->is_open(); });
}

void transaction_producer::engine::connect_all() {
    for (const auto& broker : client().brokers())
        if (!broker->is_open())
            client().register_with(*broker);
}

void transaction_producer::engine::keep_connected() {
    if (all_connected())
        return;
    ask_who_leads();
    connect_all();
}

void transaction_producer::engine::ask_who_leads() {
    find_brokers();
    for (const auto& broker : client().brokers())
        if (!broker->is_open())
            client().suspect_routes_to(*broker);
}

void transaction_producer::engine::look_for_leaders(unsigned questions_before) {
    ask_who_leads();
    const auto pause = leader_search_pause(questions_before);
    if (pause >= reconnect_interval) { // from here on keep_connected() does it
        looking_for_leaders_ = false;
        return;
    }
    client().after(pause, [this, questions_before] {
        if (!all_connected())
            return look_for_leaders(questions_before + 1);
        looking_for_leaders_ = false;
    });
}

void transaction_producer::engine::trouble(error what) const {
    if (options_.on_trouble)
        options_.on_trouble(what);
}

} // namespace holdfast::client
