"""The checks that WorldMail comes with."""

from worldmail.plugin import PolicyPlugin

relay = PolicyPlugin(name="relay", check="worldmail.policy.relay:relay_check", rank=100)
senders = PolicyPlugin(name="senders", check="worldmail.policy.senders:senders_check", rank=200)
routes = PolicyPlugin(name="routes", check="worldmail.policy.routes:routes_check", rank=250)
size = PolicyPlugin(name="size", check="worldmail.policy.bounds:size_check", rank=300)
hops = PolicyPlugin(name="hops", check="worldmail.policy.bounds:hops_check", rank=300)
quota = PolicyPlugin(name="quota", check="worldmail.policy.bounds:quota_check", rank=400)
holds = PolicyPlugin(name="holds", check="worldmail.policy.holds:holds_check", rank=450)
rates = PolicyPlugin(name="rates", check="worldmail.policy.rates:rates_check", rank=600)
