#include "client/runtime.hpp"

#include "client/identity.hpp"

#include <algorithm>
#include <condition_variable>

namespace holdfast::client {

namespace {

// A goodbye is a courtesy: the broker notices the closed connection anyway.
constexpr std::chrono::milliseconds goodbye_timeout{1'000};
constexpr std::chrono::milliseconds silence_check_interval{250};

bool names(const known_route& route, const connection& broker) {
    const auto is_there = [&](const protocol::broker_data& each) {
        return std::any_of(each.addresses.begin(), each.addresses.end(),
                           [&](const auto& node) { return node.second == broker.peer().text(); });
    };
    return std::any_of(route.source.brokers.begin(), route.source.brokers.end(), is_there);
}

bool uses(const known_route& route, const connection& broker) {
    const auto is_there = [&](const placed_queue& each) { return each.broker.get() == &broker; };
    return std::any_of(route.writable.begin(), route.writable.end(), is_there) ||
           std::any_of(route.readable.begin(), route.readable.end(), is_there);
}

} // namespace

// One question on its way round the name servers.
struct runtime::name_server_round {
    name_server_question question;
    call_handler handler;
    std::size_t first = 0;
    std::size_t asked = 0;
    std::size_t failed = 0;
    bool answered = false;
};

runtime::runtime(client_options options)
    : options_(std::move(options)), local_address_(local_ipv4_address()) {
    client_id_ = options_.client_id.empty() ? make_client_id(local_address_) : options_.client_id;
    auto hooks = std::make_shared<connection_hooks>();
    hooks->opened = [this](connection& broker) { send_heartbeat(broker, {}); };
    hooks->asked = [this](connection& broker, const answer& request) { answer_broker(broker, request); };
    hooks->lost = [this](connection& broker) {
        if (broker_lost_)
            broker_lost_(broker);
    };
    broker_hooks_ = std::move(hooks);
}

runtime::~runtime() {
    stop();
}

void runtime::on_route_changed(std::function<void(const std::string&)> handler) {
    route_changed_ = std::move(handler);
}
void runtime::on_broker_request(std::function<bool(connection&, const answer&)> handler) {
    broker_request_ = std::move(handler);
}
void runtime::on_broker_lost(std::function<void(connection&)> handler) {
    broker_lost_ = std::move(handler);
}
void runtime::on_heartbeat(std::function<std::string()> body) {
    heartbeat_body_ = std::move(body);
}

result<void> runtime::start() {
    auto servers = endpoint::parse_list(options_.name_servers);
    if (!servers)
        return error{servers.failure().code, "name servers: " + servers.failure().message};
    const auto no_hooks = std::make_shared<connection_hooks>();
    for (endpoint& each : *servers)
        name_servers_.push_back(std::make_shared<connection>(io_, std::move(each), options_, no_hooks));
    work_.emplace(io_.get_executor());
    io_thread_ = std::thread{[this] {
        io_thread_id_ = std::this_thread::get_id();
        io_.run();
    }};
    every(options_.route_interval, [this] { refresh_routes(); });
    every(options_.heartbeat_interval, [this] { send_heartbeats(); });
    every(silence_check_interval, [this] { watch_silence(); });
    return {};
}

void runtime::stop() {
    {
        const std::lock_guard lock{mutex_};
        if (std::exchange(stopped_, true))
            return;
    }
    if (!io_thread_.joinable())
        return;
    post([this] {
        stopping_ = true;
        for (auto& timer : timers_)
            timer.cancel();
        for (const auto& server : name_servers_)
            server->close();
        std::map<std::string, std::shared_ptr<connection>> all;
        {
            const std::lock_guard lock{mutex_};
            all = brokers_;
        }
        for (const auto& [address, broker] : all)
            broker->close();
        work_.reset();
    });
    io_thread_.join();
}

void runtime::after(std::chrono::milliseconds delay, std::function<void()> function) {
    post([this, delay, function = std::move(function)]() mutable {
        if (stopping_)
            return;
        const auto timer = timers_.emplace(timers_.end(), io_, delay);
        timer->async_wait([this, timer, function = std::move(function)](const boost::system::error_code&) {
            timers_.erase(timer);
            if (!stopping_)
                function();
        });
    });
}

void runtime::every(std::chrono::milliseconds interval, std::function<void()> function) {
    after(interval, [this, interval, function = std::move(function)]() mutable {
        function();
        every(interval, std::move(function));
    });
}

std::shared_ptr<connection> runtime::broker(const std::string& address) {
    const std::lock_guard lock{mutex_};
    if (const auto found = brokers_.find(address); found != brokers_.end())
        return found->second;
    auto peer = endpoint::parse(address);
    if (!peer || stopped_)
        return nullptr;
    auto fresh = std::make_shared<connection>(io_, std::move(*peer), options_, broker_hooks_);
    brokers_.emplace(address, fresh);
    return fresh;
}

broker_lookup runtime::lookup() {
    return [this](const std::string& address) { return broker(address); };
}

std::vector<std::shared_ptr<connection>> runtime::brokers() const {
    std::vector<std::shared_ptr<connection>> found;
    for (const route_ptr& route : routes_.all())
        for (const auto* queues : {&route->writable, &route->readable})
            for (const placed_queue& each : *queues)
                found.push_back(each.broker);
    {
        const std::lock_guard lock{mutex_};
        found.insert(found.end(), kept_.begin(), kept_.end());
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

void runtime::keep(std::vector<std::shared_ptr<connection>> brokers) {
    const std::lock_guard lock{mutex_};
    kept_.swap(brokers);
}

void runtime::ask_name_server(name_server_question question, call_handler handler) {
    auto round = std::make_shared<name_server_round>();
    round->question = std::move(question);
    round->handler = std::move(handler);
    post([this, round] {
        round->first = good_name_server_;
        try_next_name_server(round);
    });
}

void runtime::try_next_name_server(const std::shared_ptr<name_server_round>& round) {
    if (round->answered || round->asked == name_servers_.size() || (stopping_ && round->asked != 0))
        return;
    const std::size_t which = (round->first + round->asked++) % name_servers_.size();
    if (round->asked < name_servers_.size())
        after(options_.name_server_patience, [this, round, so_far = round->asked] {
            if (round->asked == so_far)
                try_next_name_server(round);
        });
    round->question(*name_servers_[which], [this, which, round](const call_outcome& outcome) {
        if (round->answered)
            return;
        if (outcome.reply == nullptr && ++round->failed < round->asked)
            return; // another one may still answer
        if (outcome.reply == nullptr && round->asked < name_servers_.size() && !stopping_)
            return try_next_name_server(round);
        if (outcome.reply != nullptr)
            good_name_server_ = which;
        round->answered = true;
        round->handler(outcome);
    });
}

void runtime::fetch_route(const std::string& topic, route_handler handler) {
    post([this, topic, handler = std::move(handler)]() mutable {
        auto& waiting = fetching_[topic];
        waiting.push_back(std::move(handler));
        if (waiting.size() > 1)
            return;
        const auto question = [this, topic](connection& server, call_handler done) {
            const protocol::get_route_info_request request{.topic = topic, .accept_standard_json_only = true};
            ask(server, request, {}, options_.request_timeout, std::move(done));
        };
        ask_name_server(question, [this, topic](const call_outcome& got) { route_answered(topic, got); });
    });
}

void runtime::route_answered(const std::string& topic, const call_outcome& outcome) {
    result<route_ptr> found{route_ptr{}};
    bool changed = false;
    const route_ptr before = routes_.find(topic);
    if (!outcome.ok()) {
        found = to_error(outcome);
    } else if (auto body = protocol::decode_route(outcome.reply->command().body()); !body) {
        found = error{errc::malformed,
                      "the name server's route for " + topic + " can't be read: " + body.failure().message};
    } else {
        route_ptr known = before;
        changed = known == nullptr || known->provisional || known->source != *body;
        if (changed) {
            known = make_route(topic, std::move(*body), lookup());
            routes_.put(topic, known);
            for (const auto* queues : {&known->writable, &known->readable})
                for (const placed_queue& each : *queues)
                    led_.insert(each.broker.get());
        }
        found = known;
    }
    // A topic that does not exist yet is no news anywhere.
    const bool is_no_news = !changed && (found || found.failure().code != errc::not_found);
    if (doubted_.erase(topic) != 0 && is_no_news)
        good_name_server_ = (good_name_server_ + 1) % name_servers_.size();
    const auto waiting = std::exchange(fetching_[topic], {});
    fetching_.erase(topic);
    for (const route_handler& each : waiting)
        each(found);
    if (!changed)
        return;
    if (route_changed_)
        route_changed_(topic);
    if (before == nullptr)
        return;
    std::set<connection*> left;
    for (const placed_queue& each : before->writable)
        if (!uses(*found.value(), *each.broker) && left.insert(each.broker.get()).second)
            leave(*each.broker, topic);
    watch_silence();
}

// What lived where `moved` was has moved with it. Of a topic that does not exist yet no name server knows
// where it is now: whoever sends its first message asks again where that goes.
void runtime::leave(const connection& broker, const std::string& moved) {
    for (const std::string& topic : routes_.topics()) {
        const route_ptr kept = routes_.find(topic);
        if (topic == moved || kept == nullptr || !uses(*kept, broker))
            continue;
        if (kept->provisional)
            routes_.forget(topic);
        else
            fetch_route(topic, [](const result<route_ptr>&) {});
    }
}

void runtime::doubt_route(const std::string& topic, route_handler handler) {
    post([this, topic] { doubted_[topic] = true; });
    fetch_route(topic, std::move(handler));
}

void runtime::suspect_route(const std::string& topic, std::chrono::milliseconds pause) {
    post([this, topic, pause] {
        const auto now = std::chrono::steady_clock::now();
        auto& last = suspected_[topic];
        if (stopping_ || now - last < pause)
            return;
        last = now;
        doubt_route(topic, [](const result<route_ptr>&) {});
    });
}

void runtime::watch_silence() {
    // With how long. A held pull is silent for long without anything being wrong, so the pauses grow with it.
    std::vector<std::pair<std::shared_ptr<connection>, std::chrono::milliseconds>> silent;
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [address, broker] : brokers_)
            if (const auto silence = broker->silent_for(); silence >= options_.silence_limit)
                silent.emplace_back(broker, silence);
    }
    if (silent.empty() || stopping_)
        return;
    const auto current = brokers();
    for (const auto& [broker, silence] : silent) {
        if (std::binary_search(current.begin(), current.end(), broker)) {
            suspect_routes_to(*broker, silence / 2);
            continue;
        }
        // A follower may read slowly: what it was asked for has a time of its own.
        const bool has_led = led_.erase(broker.get()) != 0;
        if (has_led || !is_named(*broker))
            broker->abandon("it is silent, and another node leads by now");
    }
}

bool runtime::is_named(const connection& broker) const {
    const auto all = routes_.all();
    return std::any_of(all.begin(), all.end(), [&](const route_ptr& each) { return names(*each, broker); });
}

void runtime::suspect_routes_to(const connection& broker, std::chrono::milliseconds pause) {
    for (const std::string& topic : routes_.topics())
        if (const route_ptr kept = routes_.find(topic); kept != nullptr && uses(*kept, broker))
            suspect_route(topic, pause);
}

void runtime::refresh_routes() {
    for (const std::string& topic : routes_.topics())
        fetch_route(topic, [](const result<route_ptr>&) {});
}

void runtime::send_heartbeat(connection& to, std::function<void(bool)> done) {
    const std::string body = heartbeat_body_ ? heartbeat_body_() : std::string{};
    if (body.empty()) {
        if (done)
            done(false);
        return;
    }
    ask(to, protocol::heart_beat_request{}, as_bytes(body), options_.request_timeout,
        [done = std::move(done)](const call_outcome& outcome) {
            if (done)
                done(outcome.ok());
        });
}

void runtime::send_heartbeats(std::function<void()> done) {
    post([this, done = std::move(done)] {
        // The last share to go reports, whether there were brokers or none.
        const std::shared_ptr<void> all{nullptr, [done](void*) {
                                            if (done)
                                                done();
                                        }};
        for (const auto& broker : brokers())
            send_heartbeat(*broker, [all](bool) {});
    });
}

void runtime::unregister(const std::string& producer_group, const std::string& consumer_group) {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t open = 0;
    for (const auto& broker : brokers()) {
        if (!broker->is_open())
            continue;
        {
            const std::lock_guard lock{mutex};
            ++open;
        }
        const protocol::unregister_client_request request{
            .client_id = client_id_, .producer_group = producer_group, .consumer_group = consumer_group};
        ask(*broker, request, {}, goodbye_timeout, [&](const call_outcome&) {
            const std::lock_guard lock{mutex};
            --open;
            changed.notify_all();
        });
    }
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return open == 0; });
}

void runtime::answer_broker(connection& from, const answer& request) {
    if (broker_request_ && broker_request_(from, request))
        return;
    if (request.command().is_oneway())
        return;
    const std::string remark = " request type " + std::to_string(request.code()) + " not supported";
    from.reply([&](byte_buffer& out, const protocol::call&) {
        protocol::append_failure(out, protocol::answer_to::of(request.command()),
                                 protocol::response_code::request_code_not_supported, remark);
    });
}

} // namespace holdfast::client
