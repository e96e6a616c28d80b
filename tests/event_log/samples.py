"""Small files in the documented formats of real logs."""

OBD = """\
,timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user-item_affinity_0,user-item_affinity_1
0,2019-11-24 00:00:17.004101+00:00,1,2,0,0.25,ab,x,0.0,1.0
1,2019-11-24 00:00:19+00:00,0,3,1,0.75,cd,x,2.0,0.0
"""
ITEMS = ",item_id,item_feature_0,item_feature_1\n0,1,-0.5,aa\n1,0,0.25,bb\n"
TAOBAO = """\
2,10,100,pv,5000
1,10,100,pv,0
1,11,100,cart,60
1,10,100,buy,1861
1,12,101,fav,1860
"""
RETAILROCKET = """\
timestamp,visitorid,event,itemid,transactionid
1433221332117,257597,view,355908,
1433221340000,257597,addtocart,355908,
1433221350000,257597,transaction,355908,4000
1433224214164,99,view,248676,
"""
CLICKS = """\
2,2014-04-07T13:56:37.614Z,214662742,0
1,2014-04-07T10:54:09.868Z,214536500,S
1,2014-04-07T10:51:09.277Z,214536502,0
"""
BUYS = "1,2014-04-07T10:54:09.868Z,214536500,1046,2\n"


def write(folder, text, name="log.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_of(log):
    """(user, visit, step, item, events) of every row, as far as the log has them."""
    names = [name for name in ("user_id", "visit", "step") if name in log.columns]
    columns = [log.columns[name].tolist() for name in names]
    return list(zip(*columns, log.action[:, 0].tolist(), log.events[:, 0].tolist(), strict=True))
